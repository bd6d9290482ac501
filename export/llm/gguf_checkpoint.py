# SPDX-License-Identifier: Apache-2.0
"""Reads a llama-architecture GGUF file with numpy.

Lossless: Q4_0, Q4_1 and Q8_0 tensors. F32, F16, BF16 and whatever the `gguf` package can
dequantise (K-quants) are rounded, to int4 as projections and to int8 as embedding or head; the
manifest says which. GGUF stores Q and K rows for interleaved rotary embedding: here they go back.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.errors import ExportError
from export.llm.checkpoint import PROJECTIONS, ChatFormat, Checkpoint
from export.llm.config import LlamaConfig
from export.llm.gguf_file import Q4_0, Q4_1, Q8_0, GGUFFile
from export.llm.gguf_tokenizer import build_tokenizer, special_tokens
from export.llm.quant import BLOCK, F32, U8, QuantTensor, quantise_4_bit, quantise_8_bit

_TENSORS = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
_NORMS = {"attention": "attn_norm", "mlp": "ffn_norm"}


class GGUFCheckpoint(Checkpoint):
    """A memory-mapped GGUF file."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.file = GGUFFile(path)
        self.config = self._read_config()
        self.chat = self._read_chat()

    def field(self, key: str, default: Any = None) -> Any:
        """A metadata value, or `default`; without a default its absence is an error."""
        value = self.file.metadata.get(key, default)
        if value is None:
            raise ExportError("source_invalid", f"GGUF metadata {key} is missing")
        return value

    def _read_config(self) -> LlamaConfig:
        architecture = self.field("general.architecture")
        if architecture != "llama":
            raise ExportError("architecture_unsupported", f"expected llama, got {architecture}")
        if any(name.endswith("attn_q.bias") for name in self.file.tensors):
            raise ExportError("architecture_unsupported", "attention biases are not supported")
        heads = int(self.field("llama.attention.head_count"))
        hidden = int(self.field("llama.embedding_length"))
        head_dim = int(self.field("llama.attention.key_length", hidden // heads))
        if int(self.field("llama.rope.dimension_count", head_dim)) != head_dim:
            raise ExportError("architecture_unsupported", "partial rotary embedding")
        if self.field("llama.rope.scaling.type", "none") not in ("none", "linear"):
            raise ExportError("architecture_unsupported", "this rope scaling is not supported")
        return LlamaConfig(
            layers=int(self.field("llama.block_count")),
            hidden=hidden,
            heads=heads,
            kv_heads=int(self.field("llama.attention.head_count_kv", heads)),
            head_dim=head_dim,
            intermediate=int(self.field("llama.feed_forward_length")),
            vocab=int(self.file.tensor("token_embd.weight").shape[0]),
            max_context=int(self.field("llama.context_length")),
            rms_eps=float(self.field("llama.attention.layer_norm_rms_epsilon")),
            rope_theta=float(self.field("llama.rope.freq_base", 10000.0)),
            rope_factors=self._rope_factors(head_dim),
        )

    def _rope_factors(self, head_dim: int) -> tuple[float, ...] | None:
        if "rope_freqs.weight" in self.file.tensors:
            return tuple(float(value) for value in self.file.floats("rope_freqs.weight"))
        factor = float(self.field("llama.rope.scaling.factor", 1.0))
        return None if factor == 1.0 else (factor,) * (head_dim // 2)

    def _read_chat(self) -> ChatFormat:
        eos = [int(self.field("tokenizer.ggml.eos_token_id"))]
        eot = int(self.field("tokenizer.ggml.eot_token_id", eos[0]))
        return ChatFormat(
            bos_id=int(self.field("tokenizer.ggml.bos_token_id", eos[0])),
            eos_ids=tuple(dict.fromkeys([*eos, eot])),
            special_tokens=special_tokens(self.field),
            chat_template=str(self.field("tokenizer.chat_template", "")),
        )

    def _quantised(self, name: str, bits: int) -> QuantTensor:
        """A weight in block form: repacked where the format allows, else rounded to `bits`."""
        kind = self.file.tensor(name).kind
        if kind == Q8_0:
            return _read_q8_0(self.file.blocks(name))
        if kind in (Q4_0, Q4_1) and bits == 4:
            return _read_q4(self.file.blocks(name), has_minimum=kind == Q4_1)
        return (quantise_4_bit if bits == 4 else quantise_8_bit)(self.file.floats(name))

    def projection(self, layer: int, kind: str) -> QuantTensor:
        tensor = self._quantised(f"blk.{layer}.{_TENSORS[kind]}.weight", bits=4)
        if kind in ("q", "k"):
            return tensor.take_rows(half_split_order(tensor.rows, self.config.head_dim))
        return tensor

    def norm(self, layer: int, kind: str) -> F32:
        return self.file.floats(f"blk.{layer}.{_NORMS[kind]}.weight")

    def final_norm(self) -> F32:
        return self.file.floats("output_norm.weight")

    def embedding(self) -> QuantTensor:
        return self._quantised("token_embd.weight", bits=8)

    def head(self) -> QuantTensor | None:
        if "output.weight" not in self.file.tensors:
            return None
        return self._quantised("output.weight", bits=8)

    def write_tokenizer(self, path: Path) -> None:
        build_tokenizer(self.field).save(str(path), pretty=False)

    def quantisation(self) -> dict[str, Any]:
        projections = {f"{_TENSORS[kind]}.weight" for kind in PROJECTIONS}
        stored = Counter(
            tensor.type_name
            for name, tensor in self.file.tensors.items()
            if name.split(".", 2)[-1] in projections
        )
        names = ("token_embd.weight", "output.weight")
        tables = [self.file.tensors[name] for name in names if name in self.file.tensors]
        lossless = set(stored) <= {"Q4_0", "Q4_1", "Q8_0"} and all(
            table.kind == Q8_0 for table in tables
        )
        return {
            "projections": dict(sorted(stored.items())),
            "embedding": tables[0].type_name,
            "block": BLOCK,
            "lossless": lossless,
        }


def half_split_order(rows: int, head_dim: int) -> npt.NDArray[np.int64]:
    """Row order that turns interleaved rotary pairs (2i, 2i+1) into halves (i, i + head_dim/2)."""
    pairs = np.arange(rows).reshape(rows // head_dim, head_dim // 2, 2)
    return pairs.swapaxes(1, 2).reshape(rows)


def _read_q4(data: U8, has_minimum: bool) -> QuantTensor:
    """Blocks of [d f16][m f16 if Q4_1][16 bytes]: byte i holds element i low, i + 16 high."""
    head = 4 if has_minimum else 2
    blocks = np.ascontiguousarray(data).reshape(data.shape[0], -1, head + BLOCK // 2)
    halves = np.ascontiguousarray(blocks[..., :head]).view(np.float16).astype(np.float32)
    nibbles = blocks[..., head:]
    codes = np.concatenate([nibbles & 15, nibbles >> 4], axis=-1)
    scale = np.ascontiguousarray(halves[..., 0])
    offset = halves[..., 1] + np.float32(8) * scale if has_minimum else None
    return QuantTensor(4, codes, scale, offset)


def _read_q8_0(data: U8) -> QuantTensor:
    """Blocks of [d f16][32 x int8]."""
    blocks = np.ascontiguousarray(data).reshape(data.shape[0], -1, 2 + BLOCK)
    scale = np.ascontiguousarray(blocks[..., :2]).view(np.float16).astype(np.float32)[..., 0]
    codes = np.ascontiguousarray(blocks[..., 2:]) ^ np.uint8(128)  # int8 + 128 as u8
    return QuantTensor(8, codes, scale, None)
