# SPDX-License-Identifier: Apache-2.0
"""An index version on disk: complete, hashed, and never more than the database says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bls.brain.context import axes
from bls.select.index import version
from bls.select.index.live import LiveGeneration
from bls.select.index.protocol import F32
from bls.select.index.scan import pages
from export.errors import ExportError
from export.manifest import MANIFEST_NAME, file_sha256
from export.model_manifest import hash_files
from tests.select.index.ads import AXES, WIDTH, Ads, axes_of, clustered

P_K = axes_of(0)
COUNT = 400


@pytest.fixture(scope="module")
def embeddings() -> F32:
    return clustered(COUNT, width=WIDTH)


@pytest.fixture
def ads(embeddings: F32) -> Ads:
    made = Ads()
    made.fill(embeddings)
    return made


@pytest.fixture
def folder(ads: Ads, tmp_path: Path) -> Path:
    made = tmp_path / "index_1"
    made.mkdir()
    version.write(made, ads, P_K, AXES, "flat", version="index_1", barred=frozenset({"m3"}))
    return made


def read(folder: Path, ads: Ads) -> LiveGeneration:
    index = version.read(folder, file_sha256(folder / MANIFEST_NAME))
    for page in pages(ads, index.seq):
        index.apply(page, frozenset())
    return index


def test_a_version_holds_the_creatives(folder: Path, ads: Ads, embeddings: F32) -> None:
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    assert manifest["details"] == {"kind": "flat", "axes": f"{AXES:016x}", "seq": COUNT}
    assert manifest["metrics"]["rows"] == COUNT - 1
    index = read(folder, ads)
    assert (index.axes, index.version, index.living) == (AXES, "index_1", COUNT)
    assert index.added == 1  # m3 was barred then, and is not now
    hits = index.search(axes.project(P_K, embeddings[17]), 1)
    record = index.record(int(hits.rows[0]))
    assert record is not None and record.msg_id == "m17" and hits.sims[0] > 0.999


def test_nothing_is_chosen_that_the_database_has_not_confirmed(
    folder: Path, ads: Ads, embeddings: F32
) -> None:
    ads.delete("m17")
    ads.put("m18", embeddings[200])
    ctx = axes.project(P_K, embeddings[17])
    bare = version.read(folder, file_sha256(folder / MANIFEST_NAME))
    assert bare.living == 0 and len(bare.search(ctx, COUNT).rows) == 0
    index = read(folder, ads)
    found = [index.record(int(row)) for row in index.search(ctx, COUNT).rows]
    named = [one.msg_id for one in found if one is not None]
    assert "m17" not in named and len(named) == COUNT - 1
    assert index.added == 2  # m3, and the new text of m18


def test_a_row_that_died_can_come_back_to_its_vector(folder: Path, ads: Ads) -> None:
    index = read(folder, ads)
    index.kill(["m20"])
    ads.change("m20", reason="looked at again")
    assert [new for page in pages(ads, index.seq) for new in index.apply(page, frozenset())] == [
        "m20"
    ]
    assert index.added == 1 and index.row_of("m20") == 19  # m3 has no row there


def _more(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.spec("MRO-U-09")
@pytest.mark.parametrize("name", [version.VECTORS, version.CREATIVES, version.P_K])
def test_a_spoilt_file_is_refused(folder: Path, name: str) -> None:
    sha256 = file_sha256(folder / MANIFEST_NAME)
    _more(folder / name)
    with pytest.raises(ExportError) as caught:
        version.read(folder, sha256)
    assert caught.value.code == "model_hash_mismatch"


@pytest.mark.spec("MRO-U-09")
def test_another_manifest_is_refused(folder: Path) -> None:
    sha256 = file_sha256(folder / MANIFEST_NAME)
    _more(folder / MANIFEST_NAME)
    with pytest.raises(ExportError) as caught:
        version.read(folder, sha256)
    assert caught.value.code == "model_hash_mismatch"
    with pytest.raises(ExportError) as caught:
        version.read(folder.parent, sha256)
    assert caught.value.code == "model_missing"


def _forge(folder: Path, change: Callable[[dict[str, object]], None]) -> str:
    """A manifest whose hashes are right; its own SHA-256."""
    path = folder / MANIFEST_NAME
    raw = json.loads(path.read_text())
    raw["files"] = hash_files(folder, raw["files"])
    change(raw)
    path.write_text(json.dumps(raw))
    return file_sha256(path)


def test_a_version_that_does_not_fit_together_is_refused(folder: Path) -> None:
    lines = (folder / version.CREATIVES).read_bytes()
    (folder / version.CREATIVES).write_bytes(lines + b'["more",1]\n')
    sha256 = _forge(folder, lambda raw: None)
    with pytest.raises(ExportError, match="ValueError") as caught:
        version.read(folder, sha256)
    assert caught.value.code == "manifest_invalid"
    (folder / version.CREATIVES).write_bytes(lines)
    sha256 = _forge(folder, lambda raw: raw.update(name="predictor"))
    with pytest.raises(ExportError, match="not an index"):
        version.read(folder, sha256)
    sha256 = _forge(folder, lambda raw: raw.update(name=version.NAME, details={}))
    with pytest.raises(ExportError, match="KeyError"):
        version.read(folder, sha256)


@pytest.mark.spec("MRO-U-08")
def test_ivfpq_versions_are_opened_from_the_bytes_that_were_hashed(tmp_path: Path) -> None:
    embeddings = clustered(10_000, 3, WIDTH)
    ads = Ads()
    ads.fill(embeddings)
    told = list[str]()
    manifest = version.write(
        tmp_path,
        ads,
        P_K,
        AXES,
        "ivfpq",
        version="index_2",
        progress=lambda step, done, of: told.append(step),
    )
    assert manifest.details["kind"] == "ivfpq" and {"vectors", "training", "codes"} <= set(told)
    index = read(tmp_path, ads)
    assert index.kind == "ivfpq" and index.living == 10_000 and index.added == 0
    queries = axes.project(P_K, embeddings[:50])
    own = [int(index.search(query, 10).rows[0]) for query in queries]
    assert np.mean(np.array(own) == np.arange(50)) >= 0.9
    (tmp_path / version.INDEX).write_bytes((tmp_path / version.INDEX).read_bytes()[:-100])
    sha256 = _forge(tmp_path, lambda raw: None)
    with pytest.raises(ExportError, match="RuntimeError"):
        version.read(tmp_path, sha256)
