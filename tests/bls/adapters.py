# SPDX-License-Identifier: Apache-2.0
"""Random adapters, written as peft writes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.llm.adapter_file import CONFIG, WEIGHTS
from bls.models.served import served_id
from export.llm.tiny import write_safetensors
from export.manifest import MANIFEST_NAME, LLMManifest, file_sha256
from export.model_manifest import ModelManifest, hash_files

Tensors = dict[str, NDArray[np.float32]]


def widths(model: LLMManifest) -> dict[str, int]:
    return {"q": model.heads * model.head_dim, "v": model.kv_heads * model.head_dim}


def random_tensors(model: LLMManifest, seed: int, rank: int = 8, size: float = 0.1) -> Tensors:
    rng = np.random.default_rng(seed)
    tensors = {}
    for layer in range(model.layers):
        for kind, width in widths(model).items():
            at = f"base_model.model.model.layers.{layer}.self_attn.{kind}_proj.lora_"
            for part, shape in (("A", (rank, model.hidden)), ("B", (width, rank))):
                values = rng.normal(0, size, shape).astype(np.float32)
                tensors[f"{at}{part}.weight"] = values
    return tensors


def write_adapter(
    folder: Path, tensors: Tensors, rank: int = 8, base: str = "", **config: object
) -> Path:
    """A version's folder; returns it. `base`: what its manifest says it was made for."""
    folder.mkdir(parents=True)
    fields = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "bias": "none"}
    fields |= {"target_modules": ["q_proj", "v_proj"]} | config
    (folder / CONFIG).write_text(json.dumps(fields))
    write_safetensors(folder / WEIGHTS, tensors)
    files = hash_files(folder, (CONFIG, WEIGHTS))
    details = {"base_sha256": base} if base else {}
    made = ModelManifest(folder.name, folder.name, files, {}, {}, {}, "", 0, "a test", details)
    made.write(folder)
    return folder


def random_adapter(folder: Path, model: LLMManifest, seed: int, rank: int = 8) -> Path:
    return write_adapter(folder, random_tensors(model, seed, rank), rank)


def sha256_of(folder: Path) -> str:
    return file_sha256(folder / MANIFEST_NAME)


def number_of(folder: Path) -> int:
    """How rows name it."""
    return served_id(sha256_of(folder))
