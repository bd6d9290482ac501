# SPDX-License-Identifier: Apache-2.0
"""Block quantisation: layouts, exactness where promised, bounded rounding elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from export.llm.quant import (
    QuantTensor,
    concatenate,
    pack_codes,
    quantise_4_bit,
    quantise_8_bit,
    unpack_codes,
)
from export.llm.tiny import tiny_weights

RNG = np.random.default_rng(0)


def test_nibbles_are_packed_low_first() -> None:
    codes = (np.arange(32) % 16).astype(np.uint8).reshape(1, 1, 32)
    packed = pack_codes(QuantTensor(4, codes, np.ones((1, 1), np.float32), None))
    assert packed[0, 0, :3].tolist() == [0x10, 0x32, 0x54]
    assert np.array_equal(unpack_codes(packed, 4), codes)


@pytest.mark.parametrize("bits", [4, 8])
def test_rounding_error_is_at_most_half_a_step(bits: int) -> None:
    weight = RNG.standard_normal((48, 128)).astype(np.float32)
    tensor = (quantise_4_bit if bits == 4 else quantise_8_bit)(weight)
    error = np.abs(tensor.dequantise() - weight).reshape(48, 4, 32).max(axis=-1)
    assert np.all(error <= tensor.scale * 0.5001)


def test_a_constant_block_survives() -> None:
    assert np.array_equal(quantise_4_bit(np.full((2, 64), 0.25, np.float32)).dequantise(),
                          np.full((2, 64), 0.25, np.float32))  # fmt: skip
    assert not quantise_8_bit(np.zeros((2, 64), np.float32)).dequantise().any()


def test_tiny_weights_lie_on_the_grid() -> None:
    for name, weight in tiny_weights(3).items():
        if weight.ndim == 2:
            quantise = quantise_8_bit if "embed" in name else quantise_4_bit
            assert np.array_equal(quantise(weight).dequantise(), weight), name


def test_mixed_widths_concatenate_exactly() -> None:
    four = quantise_4_bit(RNG.standard_normal((8, 64)).astype(np.float32))
    eight = quantise_8_bit(RNG.standard_normal((4, 64)).astype(np.float32))
    both = concatenate([four, eight])
    assert both.bits == 8
    assert np.array_equal(both.dequantise(), np.vstack([four.dequantise(), eight.dequantise()]))
