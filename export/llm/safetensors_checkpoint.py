# SPDX-License-Identifier: Apache-2.0
"""Reads a local folder of config.json, tokenizer.json and *.safetensors (llama architecture).

Supported: F32, F16 and BF16 weights, rounded to int4 blocks of 32 (embedding and head to int8
blocks of 32); AWQ checkpoints with 4-bit gemm packing, whose projections are repacked without loss;
tied or separate heads; no rope scaling, or `linear` or `llama3`. Not supported: biases, sliding
windows, GPTQ and other quantisations. Each is refused with a typed error.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError
from export.llm.awq import check_awq, read_awq
from export.llm.checkpoint import ChatFormat, Checkpoint
from export.llm.config import LlamaConfig
from export.llm.quant import BLOCK, F32, QuantTensor, quantise_4_bit, quantise_8_bit
from export.llm.safetensors_file import SafetensorsFiles

_TENSORS = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
_NORMS = {"attention": "input_layernorm", "mlp": "post_attention_layernorm"}


class SafetensorsCheckpoint(Checkpoint):
    """A folder in the layout of the transformers library."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder
        self.settings = _read_json(folder / "config.json")
        self.files = SafetensorsFiles(folder)
        self.is_awq = self._check_quantisation()
        self.config = read_config(self.settings)
        self.chat = self._read_chat()

    def _check_quantisation(self) -> bool:
        quantisation = self.settings.get("quantization_config")
        if quantisation is None:
            return False
        if quantisation.get("quant_method") != "awq":
            raise ExportError(
                "quantisation_unsupported", f"quant_method {quantisation.get('quant_method')!r}"
            )
        check_awq(quantisation)
        return True

    def _read_chat(self) -> ChatFormat:
        generation = _read_json(self.folder / "generation_config.json", optional=True)
        eos = generation.get("eos_token_id", self.settings.get("eos_token_id"))
        if eos is None:
            raise ExportError("source_invalid", "config.json has no eos_token_id")
        eos_ids = tuple(eos) if isinstance(eos, list) else (int(eos),)
        bos = self.settings.get("bos_token_id")
        added = _read_json(self.folder / "tokenizer.json").get("added_tokens", [])
        special = {str(t["content"]): int(t["id"]) for t in added if t.get("special")}
        return ChatFormat(
            eos_ids[0] if bos is None else int(bos), eos_ids, special, self._chat_template()
        )

    def _chat_template(self) -> str:
        jinja = self.folder / "chat_template.jinja"
        if jinja.is_file():
            return jinja.read_text(encoding="utf-8")
        stored = _read_json(self.folder / "tokenizer_config.json", optional=True)
        template = stored.get("chat_template") or ""
        if isinstance(template, list):
            named = {item["name"]: item["template"] for item in template}
            template = named.get("default", "")
        return str(template)

    def projection(self, layer: int, kind: str) -> QuantTensor:
        prefix = f"model.layers.{layer}.{_TENSORS[kind]}"
        if prefix + ".bias" in self.files:
            raise ExportError("architecture_unsupported", f"{prefix} has a bias")
        if self.is_awq and prefix + ".qweight" in self.files:
            return read_awq(self.files, prefix)
        return quantise_4_bit(self.files.floats(prefix + ".weight"))

    def norm(self, layer: int, kind: str) -> F32:
        return self.files.floats(f"model.layers.{layer}.{_NORMS[kind]}.weight")

    def final_norm(self) -> F32:
        return self.files.floats("model.norm.weight")

    def embedding(self) -> QuantTensor:
        return quantise_8_bit(self.files.floats("model.embed_tokens.weight"))

    def head(self) -> QuantTensor | None:
        tied = self.settings.get("tie_word_embeddings", "lm_head.weight" not in self.files)
        return None if tied else quantise_8_bit(self.files.floats("lm_head.weight"))

    def write_tokenizer(self, path: Path) -> None:
        shutil.copyfile(self.folder / "tokenizer.json", path)

    def quantisation(self) -> dict[str, Any]:
        first = f"model.layers.0.{_TENSORS['q']}.weight"
        stored = "AWQ" if first not in self.files else self.files.stored_type(first)
        return {
            "projections": {stored: self.config.layers * len(_TENSORS)},
            "embedding": self.files.stored_type("model.embed_tokens.weight"),
            "block": BLOCK,
            "lossless": False,
        }


def read_config(raw: dict[str, Any]) -> LlamaConfig:
    """`config.json` of a llama model; raises `architecture_unsupported` for any other."""
    if raw.get("model_type") != "llama":
        raise ExportError(
            "architecture_unsupported", f"expected model_type llama, got {raw.get('model_type')!r}"
        )
    if raw.get("hidden_act", "silu") != "silu" or raw.get("attention_bias") or raw.get("mlp_bias"):
        raise ExportError("architecture_unsupported", "needs silu activations and no biases")
    try:
        heads, hidden = int(raw["num_attention_heads"]), int(raw["hidden_size"])
        head_dim = int(raw.get("head_dim") or hidden // heads)
        rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
        theta = float(rope.get("rope_theta", raw.get("rope_theta", 10000.0)))
        return LlamaConfig(
            layers=int(raw["num_hidden_layers"]),
            hidden=hidden,
            heads=heads,
            kv_heads=int(raw.get("num_key_value_heads") or heads),
            head_dim=head_dim,
            intermediate=int(raw["intermediate_size"]),
            vocab=int(raw["vocab_size"]),
            max_context=int(raw["max_position_embeddings"]),
            rms_eps=float(raw["rms_norm_eps"]),
            rope_theta=theta,
            rope_factors=_rope_factors(rope, theta, head_dim),
        )
    except KeyError as error:
        raise ExportError("source_invalid", f"config.json has no {error.args[0]}") from None


def _rope_factors(rope: dict[str, Any], theta: float, head_dim: int) -> tuple[float, ...] | None:
    """Divisors of the rotary frequencies (Llama 3.1: smooth between two wavelengths)."""
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return None
    if kind == "linear":
        return (float(rope["factor"]),) * (head_dim // 2)
    if kind != "llama3":
        raise ExportError("architecture_unsupported", f"rope scaling {kind!r}")
    factor, context = float(rope["factor"]), float(rope["original_max_position_embeddings"])
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    wavelength = 2 * math.pi * theta ** (np.arange(0, head_dim, 2) / head_dim)
    smooth = np.clip((context / wavelength - low) / (high - low), 0, 1)
    return tuple(float(1 / (s + (1 - s) / factor)) for s in smooth)


def _read_json(path: Path, optional: bool = False) -> dict[str, Any]:
    if optional and not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExportError("source_invalid", f"the folder has no {path.name}") from None
    except ValueError as error:
        raise ExportError("source_invalid", f"{path.name} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ExportError("source_invalid", f"{path.name} is not a JSON object")
    return value
