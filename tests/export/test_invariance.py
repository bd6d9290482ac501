# SPDX-License-Identifier: Apache-2.0
"""A row's bits do not depend on its neighbours, nor a prompt's on how it was cut.

Replays and same-seed runs rest on this, so it is checked bit for bit on the machine at hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from export.llm.runner import OnnxLLM

RNG = np.random.default_rng(11)
ROWS = 16


def _prompt(llm: OnnxLLM, length: int) -> npt.NDArray[np.int64]:
    return RNG.integers(3, llm.manifest.vocab, length)


def _check_batches(llm: OnnxLLM, batches: tuple[int, ...], longest: int) -> None:
    rows = next(iter(llm.cache.values())).shape[0]
    past = RNG.integers(8, longest, rows)
    for row in range(rows):
        llm.prefill(_prompt(llm, int(past[row])), row, chunk=longest)
    start = {name: cache.copy() for name, cache in llm.cache.items()}
    tokens = _prompt(llm, rows)[:, None]
    alone = np.concatenate(
        [llm.forward(tokens[r : r + 1], past[r : r + 1], r) for r in range(rows)]
    )
    expected = {name: cache.copy() for name, cache in llm.cache.items()}
    for batch in batches:
        for name, cache in llm.cache.items():
            cache[:] = start[name]
        count = rows // batch * batch
        for first in range(0, count, batch):
            rows_of_it = slice(first, first + batch)
            logits = llm.forward(tokens[rows_of_it], past[rows_of_it], first)
            assert np.array_equal(logits, alone[rows_of_it]), f"batch {batch} from row {first}"
        for name, cache in llm.cache.items():
            assert np.array_equal(cache[:count], expected[name][:count]), f"batch {batch} {name}"


def _check_chunks(llm: OnnxLLM, length: int, chunks: tuple[int, ...]) -> None:
    prompt = _prompt(llm, length)
    whole = llm.prefill(prompt, row=0, chunk=length)
    for chunk in chunks:
        assert length % chunk == 0 or length % chunk >= 8, "every chunk must have 8 tokens"
        for cache in llm.cache.values():
            cache[1] = 0
        assert np.array_equal(llm.prefill(prompt, row=1, chunk=chunk), whole), f"chunk {chunk}"
        for name, cache in llm.cache.items():
            assert np.array_equal(cache[0, :, :length], cache[1, :, :length]), f"{chunk} {name}"


def test_tiny_rows_are_independent(tiny_llm: Path) -> None:
    _check_batches(OnnxLLM(tiny_llm, 64, 128), (2, 3, 4, 5, 7, 8, 16, 33, 64), longest=100)


def test_tiny_prompts_may_be_cut_anywhere(tiny_llm: Path) -> None:
    _check_chunks(OnnxLLM(tiny_llm, 2, 640), 600, (8, 12, 19, 64, 100, 256, 300, 512))


def test_threads_do_not_matter(tiny_llm: Path) -> None:
    prompt = RNG.integers(3, 512, 60)
    one, two = (OnnxLLM(tiny_llm, 1, 64, threads=threads) for threads in (1, 2))
    assert np.array_equal(one.prefill(prompt, 0, 20), two.prefill(prompt, 0, 20))


@pytest.mark.parametrize("batches", [(2, 3, 4), (8, 16)])
def test_real_rows_are_independent(real_llm: Path, batches: tuple[int, ...]) -> None:
    _check_batches(OnnxLLM(real_llm, ROWS, 128), batches, longest=40)


def test_real_prompts_may_be_cut_anywhere(real_llm: Path) -> None:
    _check_chunks(OnnxLLM(real_llm, 2, 160), 150, (10, 17, 64, 75))
