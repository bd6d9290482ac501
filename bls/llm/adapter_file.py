# SPDX-License-Identifier: Apache-2.0
"""A low-rank adapter as peft stores it, read with numpy and checked whole before it is used.

A folder with `adapter_config.json`, `adapter_model.safetensors` and the `manifest.json` of a model
version. Only what the graph can do is taken: a LoRA of at most `LIMITS.adapter_rank` on the
projections the graph names, every layer, nothing else in the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.manifest import MANIFEST_NAME, file_sha256
from export.model_manifest import ModelManifest

F32 = NDArray[np.float32]
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PLAIN: Mapping[str, tuple[Any, ...]] = {
    "bias": ("none", None),
    "use_dora": (False, None),
    "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []),
    "rank_pattern": ({}, None),
    "alpha_pattern": ({}, None),
    "layers_to_transform": (None,),
    "layer_replication": (None,),
}
"""What peft can do and the graph cannot; each must have one of these values, or be left out."""


@dataclass(frozen=True)
class AdapterShape:
    """What the graph expects. `widths`: output width of each target projection; `base`: SHA-256 of
    the source of the model, "" for any."""

    layers: int
    hidden: int
    rank: int
    widths: Mapping[str, int]
    base: str = ""


def check_folder(folder: Path, sha256: str, base: str = "") -> ModelManifest:
    """The manifest of a version with this hash, every file of it checked.

    Raises `ExportError`, `adapter_unsupported` for one that says it was made for another model.
    """
    manifest = ModelManifest.load(folder)
    if file_sha256(folder / MANIFEST_NAME) != sha256:
        raise ExportError("model_hash_mismatch", "the manifest does not match its SHA-256")
    if missing := {CONFIG, WEIGHTS} - manifest.files.keys():
        raise ExportError("adapter_invalid", f"not in the manifest: {', '.join(sorted(missing))}")
    if base and manifest.details.get("base_sha256", base) != base:
        raise ExportError("adapter_unsupported", "it was made for another model")
    return manifest


def read_adapter(folder: Path, shape: AdapterShape) -> dict[str, F32]:
    """`<target>_a` f32 [layers, hidden, rank] and `<target>_b` f32 [layers, rank, width].

    A smaller rank is padded with zeros; the scale (alpha / r) is inside B. Raises `ExportError`
    `adapter_invalid`, `adapter_unsupported` or what the safetensors reader raises.
    """
    from export.llm.safetensors_file import SafetensorsFiles  # noqa: PLC0415  (pulls in onnx)

    rank, scale = _config(folder, shape)
    files = SafetensorsFiles(folder)
    wanted = {
        f"base_model.model.model.layers.{layer}.self_attn.{kind}_proj.lora_{part}.weight"
        for layer in range(shape.layers)
        for kind in shape.widths
        for part in "AB"
    }
    if odd := wanted ^ set(files.names()):
        raise ExportError("adapter_unsupported", f"missing or unknown tensors, as {min(odd)}")
    found: dict[str, F32] = {}
    for kind, width in shape.widths.items():
        a = np.zeros((shape.layers, shape.hidden, shape.rank), np.float32)
        b = np.zeros((shape.layers, shape.rank, width), np.float32)
        for layer in range(shape.layers):
            at = f"base_model.model.model.layers.{layer}.self_attn.{kind}_proj.lora_"
            a[layer, :, :rank] = _matrix(files.floats(f"{at}A.weight"), (rank, shape.hidden)).T
            b[layer, :rank] = _matrix(files.floats(f"{at}B.weight"), (width, rank)).T
        with np.errstate(over="ignore", invalid="ignore"):
            b *= np.float32(scale)
        if not np.isfinite(b).all():
            raise ExportError("adapter_invalid", "the scale makes values infinite")
        found |= {f"{kind}_a": a, f"{kind}_b": b}
    return found


def _config(folder: Path, shape: AdapterShape) -> tuple[int, float]:
    """Rank and scale of the adapter."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        rank, alpha = config["r"], float(config["lora_alpha"])
        targets = set(config["target_modules"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ExportError("adapter_invalid", f"{CONFIG} is not readable") from None
    if str(config.get("peft_type", "LORA")).upper() != "LORA":
        raise ExportError("adapter_unsupported", "only LoRA adapters are served")
    for name, plain in _PLAIN.items():
        if config.get(name, plain[0]) not in plain:
            raise ExportError("adapter_unsupported", f"{name} is not served")
    if type(rank) is not int or not 1 <= rank <= shape.rank:
        raise ExportError("adapter_unsupported", f"the rank must be 1 to {shape.rank}")
    expected = {f"{kind}_proj" for kind in shape.widths}
    if targets != expected:
        raise ExportError("adapter_unsupported", f"it must target {', '.join(sorted(expected))}")
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    if not math.isfinite(scale):
        raise ExportError("adapter_invalid", "lora_alpha is not a finite number")
    return rank, scale


def _matrix(values: F32, shape: tuple[int, int]) -> F32:
    if values.shape != shape:
        raise ExportError("adapter_invalid", f"expected a matrix {shape}, got {values.shape}")
    if not np.isfinite(values).all():
        raise ExportError("adapter_invalid", "a weight is not finite")
    return values
