# SPDX-License-Identifier: Apache-2.0
"""An index version on disk: built in a stream, hashed, and opened only if it is what was hashed.

vectors.f16       axis vectors, fp16 little-endian [n, 128]; mapped to memory
creatives.jsonl   [msg_id, version of its text], one line a row
p_k.safetensors   the projection that made the vectors
index.faiss       the IVF-PQ index; not there in a flat version
manifest.json     hashes, parameters, the axes' number, the database's `seq` it was read up to

faiss reads its file out of the very bytes that were hashed. What a version holds is only chosen
once the database has confirmed it, creative by creative: see `LiveGeneration.stored`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np
import orjson

from bls.ads.source import AdSource
from bls.brain.context import axes
from bls.contracts import CTX
from bls.models.served import served_name
from bls.select.index import build
from bls.select.index.flat import Flat
from bls.select.index.ivfpq import IvfPq
from bls.select.index.live import LiveGeneration
from bls.select.index.main import MainIndex
from bls.select.index.params import IvfPqParams
from bls.select.index.protocol import F32
from bls.select.index.rows import Rows, choosable
from bls.select.index.scan import kind_of, pages, projected
from export.context_encoder.write import safetensors
from export.errors import ExportError
from export.llm.safetensors_file import SafetensorsFiles
from export.manifest import MANIFEST_NAME, file_sha256
from export.model_manifest import ModelManifest, hash_files

NAME = "creative_index"
VECTORS, CREATIVES, P_K, INDEX = (
    "vectors.f16",
    "creatives.jsonl",
    "p_k.safetensors",
    "index.faiss",
)


def write(
    folder: Path,
    source: AdSource,
    p_k: F32,
    served: int,
    setting: str,
    *,
    version: str,
    barred: frozenset[str] = frozenset(),
    seed: int = 0,
    threads: int = 1,
    progress: build.Progress = build.silent,
) -> ModelManifest:
    """Make a version in the empty `folder` of what the database holds now, in bounded memory.

    Raises `ads_unavailable`, or `model_invalid` for a P_K that is none.
    """
    (folder / P_K).write_bytes(safetensors({axes.P_K: axes.check(p_k)}))
    seq = [0]
    with (folder / CREATIVES).open("wb") as names:
        chunks = _chunks(source, p_k, barred, names, seq)
        rows = build.write_vectors(chunks, folder / VECTORS, progress)
    files, details, took = [P_K, CREATIVES, VECTORS], dict[str, Any](), build.Built(rows, 0, 0)
    kind = kind_of(setting, rows)
    if kind == "ivfpq":
        params = IvfPqParams.of(rows)
        vectors = build.map_vectors(folder / VECTORS)
        index, took = build.built(vectors, params, seed, threads, progress)
        faiss.write_index(index, str(folder / INDEX))
        files.append(INDEX)
        details["params"] = asdict(params)
    sizes = {f"bytes.{name}": (folder / name).stat().st_size for name in files}
    manifest = ModelManifest(
        name=NAME,
        version=version,
        files=hash_files(folder, files),
        inputs={"CTX": f"FP32[-1,{CTX}]"},
        outputs={"ROW": "INT64[-1,-1]", "SIM": "FP32[-1,-1]"},
        metrics={"rows": rows, "train_s": took.train_s, "add_s": took.add_s, **sizes},
        dataset_sha256=file_sha256(folder / CREATIVES),
        seed=seed,
        created_by="the asset index/version of pipelines_dagster",
        details={"kind": kind, "axes": served_name(served), "seq": seq[0], **details},
    )
    manifest.write(folder)
    return manifest


def read(folder: Path, sha256: str) -> LiveGeneration:
    """The version as a generation whose rows are all dead until records are applied.

    Args:
        sha256: of its manifest, from whoever names it.

    Raises `ExportError`: `model_missing`, `model_hash_mismatch`, `manifest_invalid`, ...
    """
    try:
        content = (folder / MANIFEST_NAME).read_bytes()
    except OSError:
        raise ExportError("model_missing", f"no {MANIFEST_NAME} in the folder") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ExportError("model_hash_mismatch", "the manifest is not the one that is named")
    manifest = ModelManifest.load(folder)
    if manifest.name != NAME or not {VECTORS, CREATIVES, P_K} <= manifest.files.keys():
        raise ExportError("manifest_invalid", "this is not an index of creatives")
    try:
        return _generation(folder, manifest)
    except (KeyError, TypeError, ValueError, RuntimeError, OSError) as fault:
        why = f"the version cannot be opened: {type(fault).__name__}"
        raise ExportError("manifest_invalid", why) from None


def _generation(folder: Path, manifest: ModelManifest) -> LiveGeneration:
    main = _main(folder, manifest)
    stored, named = {}, 0
    with (folder / CREATIVES).open("rb") as lines:
        for named, line in enumerate(lines, 1):
            msg_id, of_text = orjson.loads(line)
            stored[str(msg_id)] = named - 1, int(of_text)
    if named != main.rows:
        raise ValueError("rows and names differ")
    p_k = axes.check(SafetensorsFiles(folder).floats(axes.P_K))
    rows = Rows()
    rows.reserve(main.rows)
    served = int(str(manifest.details["axes"]), 16)
    version = manifest.version
    return LiveGeneration(main, rows, p_k, axes=served, version=version, stored=stored)


def _main(folder: Path, manifest: ModelManifest) -> MainIndex:
    vectors = build.map_vectors(folder / VECTORS)
    if manifest.details["kind"] == "flat":
        return Flat(vectors.astype(np.float32))
    content = (folder / INDEX).read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest.files[INDEX]:
        raise ExportError("model_hash_mismatch", f"{INDEX} does not match its SHA-256")
    index = faiss.deserialize_index(np.frombuffer(content, np.uint8))
    if not isinstance(index, faiss.IndexIVFPQFastScan) or (index.ntotal, index.d) != (
        len(vectors),
        CTX,
    ):
        raise ValueError("another index")
    return IvfPq(index, vectors, IvfPqParams(**manifest.details["params"]))


def _chunks(
    source: AdSource, p_k: F32, barred: frozenset[str], names: BinaryIO, seq: list[int]
) -> Iterator[F32]:
    for page in pages(source):
        fresh = [one for one in page if choosable(one) and one.msg_id not in barred]
        names.writelines(orjson.dumps([one.msg_id, one.version]) + b"\n" for one in fresh)
        seq[0] = page[-1].seq
        yield projected(fresh, p_k)
