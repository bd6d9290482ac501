# SPDX-License-Identifier: Apache-2.0
"""AWQ's activation-aware scales, searched by nvidia-modelopt, and the checkpoint they make.

AWQ (Lin et al. 2023, arXiv 2306.00978) divides the columns of a weight that see large activations
by s < 1 before rounding, and multiplies the activations by s. modelopt searches s per layer on real
chats. Here s is moved to where it costs nothing: into the norm before Q, K, V and before gate, up
(one s for each group, the mean); into the rows of V for O (the mean over the query heads of a KV
head); into the rows of up for down. Rounding is ours: 16 levels between each block's minimum and
maximum, blocks of 32.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.llm.checkpoint import PROJECTIONS, Checkpoint
from export.llm.quant import BLOCK, F32, QuantTensor, quantise_4_bit

GROUPS = {"attention": ("q", "k", "v"), "mlp": ("gate", "up")}
"""Projections that share the output of a norm."""


@dataclass(frozen=True)
class LayerScales:
    """Factors of the activations: after each norm [hidden], before O [attention], before down."""

    attention: F32
    mlp: F32
    o: F32
    down: F32


def search(checkpoint: Checkpoint, chats: Sequence[Sequence[int]]) -> list[LayerScales]:
    """Scales of every layer, calibrated on token ids. Needs torch, transformers and modelopt."""
    import modelopt.torch.quantization as mtq  # noqa: PLC0415  (of the pipelines)
    import torch  # noqa: PLC0415

    from export.lora.base import load_base  # noqa: PLC0415

    settings = copy.deepcopy(mtq.INT4_AWQ_CFG)
    for entry in settings["quant_cfg"]:
        if entry["quantizer_name"] == "*weight_quantizer":
            entry["cfg"]["block_sizes"][-1] = BLOCK
    model = load_base(checkpoint)

    def calibrate(quantised: Any) -> None:
        with torch.no_grad():
            for ids in chats:
                quantised(torch.tensor([list(ids)]), use_cache=False)

    mtq.quantize(model, settings, calibrate)
    return [_layer(layer, checkpoint) for layer in model.model.layers]


def _layer(layer: Any, checkpoint: Checkpoint) -> LayerScales:
    attention, mlp = layer.self_attn, layer.mlp
    config = checkpoint.config
    o = _scale(attention.o_proj).reshape(config.kv_heads, -1, config.head_dim)
    shared = np.broadcast_to(o.mean(axis=1, keepdims=True), o.shape)
    return LayerScales(
        attention=_mean(attention.q_proj, attention.k_proj, attention.v_proj),
        mlp=_mean(mlp.gate_proj, mlp.up_proj),
        o=np.ascontiguousarray(shared.reshape(-1)),
        down=_scale(mlp.down_proj),
    )


def _mean(*linears: Any) -> F32:
    mean: F32 = np.mean([_scale(linear) for linear in linears], axis=0, dtype=np.float32)
    return mean


def _scale(linear: Any) -> F32:
    """What modelopt multiplies the input of a linear layer by; ones where it does not."""
    found = linear.input_quantizer.pre_quant_scale
    if found is None:
        return np.ones(linear.weight.shape[1], np.float32)
    return np.asarray(found.detach().float().numpy().reshape(-1), np.float32)


class AwqCheckpoint(Checkpoint):
    """A float (or losslessly dequantised) checkpoint, rounded to 4 bits with these scales."""

    def __init__(self, base: Checkpoint, scales: Sequence[LayerScales]) -> None:
        self._base, self._scales = base, scales
        self.name, self.config, self.chat = f"{base.name}-awq", base.config, base.chat

    def smoothed(self, layer: int, kind: str) -> F32:
        """The weight before rounding, f32 [out, in]."""
        weight = self._base.projection(layer, kind).dequantise()
        scaled = weight * self.output_scale(layer, kind)[:, None] / self.input_scale(layer, kind)
        return np.asarray(scaled, np.float32)

    def input_scale(self, layer: int, kind: str) -> F32:
        """[in], what the activations of this projection are multiplied by."""
        scales = self._scales[layer]
        if kind in GROUPS["attention"]:
            return scales.attention
        if kind in GROUPS["mlp"]:
            return scales.mlp
        return scales.o if kind == "o" else scales.down

    def output_scale(self, layer: int, kind: str) -> F32:
        """[out], what the rows of this projection carry for the one after it."""
        scales, config = self._scales[layer], self.config
        if kind == "v":
            return scales.o.reshape(config.kv_heads, -1, config.head_dim)[:, 0].reshape(-1)
        if kind == "up":
            return scales.down
        return np.ones(self._base.projection(layer, kind).rows, np.float32)

    def projection(self, layer: int, kind: str) -> QuantTensor:
        return quantise_4_bit(self.smoothed(layer, kind))

    def norm(self, layer: int, kind: str) -> F32:
        scale = self._scales[layer].attention if kind == "attention" else self._scales[layer].mlp
        return np.asarray(self._base.norm(layer, kind) * scale, np.float32)

    def final_norm(self) -> F32:
        return self._base.final_norm()

    def embedding(self) -> QuantTensor:
        return self._base.embedding()

    def head(self) -> QuantTensor | None:
        return self._base.head()

    def write_tokenizer(self, path: Path) -> None:
        self._base.write_tokenizer(path)

    def quantisation(self) -> dict[str, Any]:
        return {
            "projections": "int4, AWQ scales (nvidia-modelopt), blocks of 32",
            "from": self._base.quantisation(),
            "lossless": False,
        }


def matrices(checkpoint: AwqCheckpoint) -> list[tuple[int, str]]:
    """Every (layer, projection)."""
    return [(layer, kind) for layer in range(checkpoint.config.layers) for kind in PROJECTIONS]
