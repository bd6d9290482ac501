# SPDX-License-Identifier: Apache-2.0
"""GGUF reading: lossless blocks, rotary row order, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind

from export.errors import ExportError
from export.llm.gguf_checkpoint import GGUFCheckpoint, half_split_order
from export.llm.gguf_file import GGUFFile

HIDDEN, INNER, HEADS, VOCAB = 64, 96, 2, 40
SHAPES = {
    "attn_q": (HIDDEN, HIDDEN),
    "attn_k": (HIDDEN, HIDDEN),
    "attn_v": (HIDDEN, HIDDEN),
    "attn_output": (HIDDEN, HIDDEN),
    "ffn_gate": (INNER, HIDDEN),
    "ffn_up": (INNER, HIDDEN),
    "ffn_down": (HIDDEN, INNER),
}
KINDS = {"attn_q": Kind.Q4_1, "attn_k": Kind.Q4_0, "attn_v": Kind.Q8_0, "ffn_down": Kind.F16}


def write_gguf(
    path: Path, arch: str = "llama", edit: Callable[[gguf.GGUFWriter], None] | None = None
) -> Path:
    writer = gguf.GGUFWriter(str(path), arch)
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *map(chr, range(97, 134))]
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (VOCAB - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if edit is not None:
        edit(writer)
    rng = np.random.default_rng(0)
    _add(writer, "token_embd.weight", rng.standard_normal((VOCAB, HIDDEN)), Kind.Q8_0)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        _add(writer, f"{name}.weight", rng.standard_normal(HIDDEN), Kind.F32)
    for name, shape in SHAPES.items():
        kind = KINDS.get(name, Kind.Q4_1)
        _add(writer, f"blk.0.{name}.weight", rng.standard_normal(shape), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: gguf.GGUFWriter, name: str, values: Any, kind: Kind) -> None:
    stored = gguf.quantize(values.astype(np.float32), kind)
    plain = kind in (Kind.F32, Kind.F16)
    writer.add_tensor(name, stored, raw_dtype=None if plain else kind)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "small-Q4_1.gguf")


def test_sizes_and_special_tokens(path: Path) -> None:
    checkpoint = GGUFCheckpoint(path, "small")
    assert (checkpoint.config.hidden, checkpoint.config.vocab) == (HIDDEN, VOCAB)
    assert checkpoint.config.head_dim == HIDDEN // HEADS
    assert checkpoint.chat.special_tokens == {
        "<|endoftext|>": 0,
        "<|im_start|>": 1,
        "<|im_end|>": 2,
    }
    assert checkpoint.quantisation()["lossless"] is False  # ffn_down is F16


@pytest.mark.parametrize(
    ("kind", "name"),
    [("q", "attn_q"), ("k", "attn_k"), ("v", "attn_v"), ("o", "attn_output"), ("up", "ffn_up")],
)
def test_blocks_are_repacked_exactly(path: Path, kind: str, name: str) -> None:
    checkpoint = GGUFCheckpoint(path, "small")
    expected = checkpoint.file.floats(f"blk.0.{name}.weight")
    if kind in ("q", "k"):
        expected = expected[half_split_order(HIDDEN, HIDDEN // HEADS)]
    assert np.array_equal(checkpoint.projection(0, kind).dequantise(), expected)


def test_float_weights_are_rounded_to_4_bits(path: Path) -> None:
    tensor = GGUFCheckpoint(path, "small").projection(0, "down")
    assert tensor.bits == 4


def test_our_reader_agrees_with_the_gguf_package(path: Path) -> None:
    ours, theirs = GGUFFile(path), gguf.GGUFReader(str(path))
    for tensor in theirs.tensors:
        stored = np.ascontiguousarray(tensor.data).view(np.uint8).reshape(-1)
        assert np.array_equal(ours.blocks(tensor.name).reshape(-1), stored)
    for key, field in theirs.fields.items():
        if not key.startswith("GGUF."):
            assert ours.metadata[key] == field.contents()


def test_half_split_order_undoes_the_interleaving() -> None:
    assert half_split_order(8, 4).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.parametrize("content", [b"", b"GGML1234", b"GGUF\x03\0\0\0", b"GGUF" + b"\xff" * 64])
def test_malformed_files_are_refused(tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(content)
    with pytest.raises(ExportError) as caught:
        GGUFCheckpoint(bad, "bad")
    assert caught.value.code == "source_invalid"


def test_a_truncated_file_is_refused(path: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(path.read_bytes()[:-2000])
    checkpoint = GGUFCheckpoint(short, "short")
    with pytest.raises(ExportError) as caught:
        checkpoint.projection(0, "down")
    assert caught.value.code == "source_invalid"


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        GGUFCheckpoint(write_gguf(tmp_path / "x.gguf", arch="gemma"), "x")
    assert caught.value.code == "architecture_unsupported"
