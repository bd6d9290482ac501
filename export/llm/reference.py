# SPDX-License-Identifier: Apache-2.0
"""The slow, obvious twin: a float32 llama forward in numpy, with weights straight from the source.

It shares no quantisation or graph code with the exporter: GGUF tensors are dequantised by the
`gguf` package and keep their interleaved rotary layout, safetensors keep their halves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from export.errors import ExportError
from export.llm.config import LlamaConfig
from export.llm.gguf_checkpoint import GGUFCheckpoint
from export.llm.quant import F32
from export.llm.safetensors_checkpoint import SafetensorsCheckpoint
from export.llm.sources import Source

_GGUF = {
    "embed": "token_embd.weight",
    "final_norm": "output_norm.weight",
    "head": "output.weight",
    "attention_norm": "blk.{}.attn_norm.weight",
    "mlp_norm": "blk.{}.ffn_norm.weight",
    "q": "blk.{}.attn_q.weight",
    "k": "blk.{}.attn_k.weight",
    "v": "blk.{}.attn_v.weight",
    "o": "blk.{}.attn_output.weight",
    "gate": "blk.{}.ffn_gate.weight",
    "up": "blk.{}.ffn_up.weight",
    "down": "blk.{}.ffn_down.weight",
}
_SAFETENSORS = {
    "embed": "model.embed_tokens.weight",
    "final_norm": "model.norm.weight",
    "head": "lm_head.weight",
    "attention_norm": "model.layers.{}.input_layernorm.weight",
    "mlp_norm": "model.layers.{}.post_attention_layernorm.weight",
    "q": "model.layers.{}.self_attn.q_proj.weight",
    "k": "model.layers.{}.self_attn.k_proj.weight",
    "v": "model.layers.{}.self_attn.v_proj.weight",
    "o": "model.layers.{}.self_attn.o_proj.weight",
    "gate": "model.layers.{}.mlp.gate_proj.weight",
    "up": "model.layers.{}.mlp.up_proj.weight",
    "down": "model.layers.{}.mlp.down_proj.weight",
}


class Reference:
    """All weights in memory as f32; `logits(ids)` gives every position, [len(ids), vocab]."""

    def __init__(
        self, config: LlamaConfig, read: Callable[[str], F32], names: dict[str, str], tied: bool
    ) -> None:
        self.config = config
        self._interleaved = names is _GGUF
        self._weights = {
            (name, layer): read(pattern.format(layer))
            for name, pattern in names.items()
            for layer in (range(config.layers) if "{}" in pattern else (-1,))
            if name != "head" or not tied
        }
        self._head = self._weights[("embed" if tied else "head", -1)]

    def logits(self, ids: list[int]) -> F32:
        x = self._weights["embed", -1][ids]
        for layer in range(self.config.layers):
            x = x + self._attention(layer, self._norm(x, "attention_norm", layer))
            x = x + self._mlp(layer, self._norm(x, "mlp_norm", layer))
        return np.asarray(self._norm(x, "final_norm", -1) @ self._head.T)

    def _norm(self, x: F32, name: str, layer: int) -> F32:
        mean_square = np.mean(np.square(x), axis=-1, keepdims=True)
        scale = 1 / np.sqrt(mean_square + np.float32(self.config.rms_eps))
        return np.asarray(x * scale * self._weights[name, layer])

    def _mlp(self, layer: int, x: F32) -> F32:
        gate = x @ self._weights["gate", layer].T
        up = x @ self._weights["up", layer].T
        return np.asarray((gate / (1 + np.exp(-gate)) * up) @ self._weights["down", layer].T)

    def _attention(self, layer: int, x: F32) -> F32:
        heads, kv_heads = self.config.heads, self.config.kv_heads
        query = self._rotate(self._split(x @ self._weights["q", layer].T, heads))
        key = self._rotate(self._split(x @ self._weights["k", layer].T, kv_heads))
        value = self._split(x @ self._weights["v", layer].T, kv_heads)
        key, value = (np.repeat(part, heads // kv_heads, axis=0) for part in (key, value))
        scores = query @ key.swapaxes(1, 2) / np.float32(np.sqrt(self.config.head_dim))
        future = np.triu(np.ones(scores.shape[1:], np.bool_), k=1)
        scores = np.where(future, np.float32(-np.inf), scores)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (weights / weights.sum(axis=-1, keepdims=True)) @ value  # [heads, S, head_dim]
        return np.asarray(mixed.swapaxes(0, 1).reshape(len(x), -1) @ self._weights["o", layer].T)

    def _split(self, x: F32, heads: int) -> F32:
        return x.reshape(len(x), heads, self.config.head_dim).swapaxes(0, 1)

    def _rotate(self, x: F32) -> F32:
        """Rotary embedding of [heads, S, head_dim] at positions 0..S-1."""
        cos, sin = self._angles(x.shape[1])
        half = self.config.head_dim // 2
        if self._interleaved:
            first, second = x[..., 0::2], x[..., 1::2]
        else:
            first, second = x[..., :half], x[..., half:]
        turned = (first * cos - second * sin, second * cos + first * sin)
        if self._interleaved:
            return np.stack(turned, axis=-1).reshape(x.shape)
        return np.concatenate(turned, axis=-1)

    def _angles(self, length: int) -> tuple[F32, F32]:
        frequency = self.config.rope_theta ** -(
            np.arange(0, self.config.head_dim, 2) / self.config.head_dim
        )
        angle = np.arange(length)[:, None] * frequency / np.array(self.config.rope_factors or 1.0)
        return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def load_reference(source: Source) -> Reference:
    """The reference of a GGUF file or of a safetensors folder with float weights."""
    checkpoint = source.open()
    if isinstance(checkpoint, GGUFCheckpoint):
        file = checkpoint.file
        return Reference(
            checkpoint.config, file.floats, _GGUF, tied=_GGUF["head"] not in file.tensors
        )
    if not isinstance(checkpoint, SafetensorsCheckpoint) or checkpoint.is_awq:
        raise ExportError("reference_unsupported", "no float32 reference for this source")
    tied = checkpoint.head() is None
    return Reference(checkpoint.config, checkpoint.files.floats, _SAFETENSORS, tied)
