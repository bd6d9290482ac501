# SPDX-License-Identifier: Apache-2.0
"""The ONNX graph of a llama-architecture decoder: int4 projections, KV cache bound in place.

Contract (names do not depend on the model):

    input_ids             int64 [B, S]
    seqlens_k             int32 [B]    tokens valid after this call, minus 1, per row
    total_sequence_length int32 [1]    the longest row: max(seqlens_k) + 1
    past_key_l, past_value_l           f32 [B, kv_heads, max_len, head_dim] for every layer l
    ->
    logits                f32 [B, V]   of the last position of each row
    present_key_l, present_value_l     shaped as the past; bind them to the same memory

The CPU operator wants B = 1 where S > 1 follows a past: prefill runs one row at a time in chunks,
decode runs B rows with S = 1.

A row's result must not depend on its neighbours. ONNX Runtime's int4 kernel sums in another order
for one row than for two or more (AVX2), so a lone token is computed as two equal rows ("padded").
Between attention calls activations are therefore [T, width] with T = max(B*S, 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.llm.checkpoint import Checkpoint
from export.llm.onnx_writer import MICROSOFT, OnnxWriter
from export.llm.quant import BLOCK, QuantTensor, concatenate, pack_codes

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class GraphOptions:
    """`accuracy_level` is MatMulNBits': 4 = int8 activations (fast), 1 = f32, 0 = default."""

    accuracy_level: int = 4

    def __post_init__(self) -> None:
        if self.accuracy_level not in (0, 1, 4):
            raise ExportError(
                "option_invalid", f"accuracy_level must be 0, 1 or 4, got {self.accuracy_level}"
            )


def write_graph(
    checkpoint: Checkpoint, writer: OnnxWriter, options: GraphOptions, progress: Progress
) -> None:
    """Write the whole decoder of `checkpoint` through `writer`."""
    _Decoder(checkpoint, writer, options).build(progress)


class _Decoder:
    """Emits nodes in order; values are ONNX names."""

    def __init__(self, source: Checkpoint, writer: OnnxWriter, options: GraphOptions) -> None:
        self.source, self.config = source, source.config
        self.w, self.options = writer, options

    def build(self, progress: Progress) -> None:
        self._inputs()
        self._shapes()
        residual, update = self._embed(), None
        for layer in range(self.config.layers):
            progress(f"layer {layer + 1}/{self.config.layers}", layer / self.config.layers)
            residual, update = self._layer(layer, residual, update)
        self._head(residual, update)
        self.w.save(self.source.name)

    def _inputs(self) -> None:
        config = self.config
        self.w.input("input_ids", TensorProto.INT64, ["B", "S"])
        self.w.input("seqlens_k", TensorProto.INT32, ["B"])
        self.w.input("total_sequence_length", TensorProto.INT32, [1])
        self.w.output("logits", TensorProto.FLOAT, ["B", config.vocab])
        cache: list[int | str] = ["B", config.kv_heads, "max_len", config.head_dim]
        for layer in range(config.layers):
            for part in ("key", "value"):
                self.w.input(f"past_{part}_{layer}", TensorProto.FLOAT, cache)
                self.w.output(f"present_{part}_{layer}", TensorProto.FLOAT, cache)
        cos, sin = config.rotary_tables()
        self.w.weight("cos_cache", cos)
        self.w.weight("sin_cache", sin)

    def _shapes(self) -> None:
        """Row counts: `tokens` = B*S, `rows` = B; each also padded to at least two."""
        w = self.w
        shape = w.node("Shape", ["input_ids"], "shape")
        self.rows = w.node("Shape", ["input_ids"], "rows", start=0, end=1)
        self.tokens = w.node("ReduceProd", [shape], "tokens", keepdims=1)
        attention = [shape, w.ints(self.config.packed_qkv)]
        self.qkv_shape = w.node("Concat", attention, "qkv_shape", axis=0)
        self.token_shape = self._padded_shape(self.tokens, "token_shape")
        self.row_shape = self._padded_shape(self.rows, "row_shape")
        hidden = [shape, w.ints(self.config.hidden)]
        self.hidden_shape = w.node("Concat", hidden, "hidden_shape", axis=0)

    def _padded_shape(self, count: str, name: str) -> str:
        """[max(count, 2), 1], the shape that Expand broadcasts a lone row to."""
        padded = self.w.node("Max", [count, self.w.ints(2)], name + "_padded")
        return self.w.node("Concat", [padded, self.w.ints(1)], name, axis=0)

    def _embed(self) -> str:
        """Rows of the 8-bit table, (code - 128) * scale, as [T, hidden]."""
        w, table = self.w, self.source.embedding()
        codes = w.node("Gather", [w.weight("embed.codes", pack_codes(table)), "input_ids"], "codes")
        scale_name = w.weight("embed.scale", table.scale)
        scale = w.node("Gather", [scale_name, "input_ids"], "embed_scale")
        number = w.node("Cast", [codes], "codes_f32", to=TensorProto.FLOAT)
        centre = w.weight("embed.centre", np.array(table.centre, np.float32))
        centred = w.node("Sub", [number, centre], "codes_centred")
        scale = w.node("Unsqueeze", [scale, w.ints(-1)], "embed_scale_4d")
        values = w.node("Mul", [centred, scale], "embed_blocks")
        flat = w.node("Reshape", [values, w.ints(-1, self.config.hidden)], "embed")
        return w.node("Expand", [flat, self.token_shape], "hidden")

    def _layer(self, layer: int, residual: str, update: str | None) -> tuple[str, str]:
        """One decoder layer; returns the residual stream and the MLP's update to add to it."""
        last, at = layer == self.config.layers - 1, f"layer{layer}."
        norm = self.w.weight(at + "attention_norm", self.source.norm(layer, "attention"))
        normed, residual = self._add_norm(residual, update, norm, at + "attention_in")
        attended = self._attention(layer, normed, at)
        if last:  # only the last position of each row is needed from here on
            attended, residual = self._last_position(attended, residual, at)
        shape = self.row_shape if last else self.token_shape
        flat = self.w.node(
            "Reshape", [attended, self.w.ints(-1, self.config.attention)], at + "mix"
        )
        padded = self.w.node("Expand", [flat, shape], at + "mix_padded")
        mixed = self._linear(padded, self.source.projection(layer, "o"), at + "o")
        norm = self.w.weight(at + "mlp_norm", self.source.norm(layer, "mlp"))
        normed, residual = self._add_norm(residual, mixed, norm, at + "mlp_in")
        return residual, self._mlp(layer, normed, at)

    def _attention(self, layer: int, normed: str, at: str) -> str:
        """Packed QKV and grouped-query attention over the cache, [B, S, heads * head_dim]."""
        w, config = self.w, self.config
        weights = concatenate([self.source.projection(layer, kind) for kind in ("q", "k", "v")])
        packed = self._linear(normed, weights, at + "qkv")
        packed = w.node("Slice", [packed, w.ints(0), self.tokens, w.ints(0)], at + "qkv_tokens")
        packed = w.node("Reshape", [packed, self.qkv_shape], at + "qkv_3d")
        past = [f"past_key_{layer}", f"past_value_{layer}"]
        lengths = ["seqlens_k", "total_sequence_length", "cos_cache", "sin_cache"]
        return w.node(
            "GroupQueryAttention",
            [packed, "", "", *past, *lengths],
            at + "attention",
            outputs=[at + "attention", f"present_key_{layer}", f"present_value_{layer}"],
            domain=MICROSOFT,
            num_heads=config.heads,
            kv_num_heads=config.kv_heads,
            do_rotary=1,
            rotary_interleaved=0,
        )

    def _last_position(self, attended: str, residual: str, at: str) -> tuple[str, str]:
        """Keep position S-1 of each row: attention [B, 1, width], residual [max(B, 2), hidden]."""
        w = self.w
        ends = [w.ints(-1), w.ints(2**62), w.ints(1)]
        attended = w.node("Slice", [attended, *ends], at + "attention_last")
        tokens = w.node("Slice", [residual, w.ints(0), self.tokens, w.ints(0)], at + "res_tokens")
        stream = w.node("Reshape", [tokens, self.hidden_shape], at + "res_3d")
        kept = w.node("Slice", [stream, *ends], at + "res_last")
        flat = w.node("Reshape", [kept, w.ints(-1, self.config.hidden)], at + "res_flat")
        return attended, w.node("Expand", [flat, self.row_shape], at + "res_padded")

    def _mlp(self, layer: int, normed: str, at: str) -> str:
        """down(silu(gate(x)) * up(x)); QuickGelu with alpha 1 is SiLU."""
        w = self.w
        weights = concatenate([self.source.projection(layer, kind) for kind in ("gate", "up")])
        both = self._linear(normed, weights, at + "gate_up")
        gate, up = at + "gate", at + "up"
        w.node("Split", [both], at + "split", outputs=[gate, up], axis=-1, num_outputs=2)
        active = w.node("QuickGelu", [gate], at + "silu", domain=MICROSOFT, alpha=1.0)
        product = w.node("Mul", [active, up], at + "gated")
        return self._linear(product, self.source.projection(layer, "down"), at + "down")

    def _head(self, residual: str, update: str | None) -> None:
        w = self.w
        norm = w.weight("final_norm", self.source.final_norm())
        normed, _ = self._add_norm(residual, update, norm, "head_in")
        rows = w.node("Slice", [normed, w.ints(0), self.rows, w.ints(0)], "head_rows")
        head = self.source.head()
        tied = head is None
        self._matmul_nbits(
            rows, head or self.source.embedding(), "embed" if tied else "head", "logits"
        )

    def _add_norm(self, residual: str, update: str | None, norm: str, at: str) -> tuple[str, str]:
        """(norm(residual + update), residual + update), fused where there is an update."""
        epsilon = self.config.rms_eps
        if update is None:
            normed = self.w.node(
                "SimplifiedLayerNormalization", [residual, norm], at, axis=-1, epsilon=epsilon
            )
            return normed, residual
        total = at + "_sum"
        self.w.node(
            "SkipSimplifiedLayerNormalization",
            [residual, update, norm],
            at,
            outputs=[at, "", "", total],
            domain=MICROSOFT,
            epsilon=epsilon,
        )
        return at, total

    def _linear(self, x: str, weights: QuantTensor, name: str) -> str:
        """x @ W^T, [T, K] -> [T, N]; the block offsets come back through a small f32 product."""
        if weights.offset is None:
            return self._matmul_nbits(x, weights, name, name)
        w, blocks = self.w, weights.columns // BLOCK
        product = self._matmul_nbits(x, weights, name, name + "_centred")
        split = w.node("Reshape", [x, w.ints(-1, blocks, BLOCK)], name + "_blocks")
        sums = w.node("ReduceSum", [split, w.ints(-1)], name + "_sums", keepdims=0)
        offset = w.weight(name + ".offset", np.ascontiguousarray(weights.offset.T))
        return w.node("Gemm", [sums, offset, product], name)

    def _matmul_nbits(self, x: str, weights: QuantTensor, name: str, output: str) -> str:
        level = 4 if weights.bits == 8 else self.options.accuracy_level
        codes = self.w.weight(name + ".codes", pack_codes(weights))
        scale = self.w.weight(name + ".scale", weights.scale)
        return self.w.node(
            "MatMulNBits",
            [x, codes, scale],
            output,
            domain=MICROSOFT,
            K=weights.columns,
            N=weights.rows,
            bits=weights.bits,
            block_size=BLOCK,
            accuracy_level=level,
        )
