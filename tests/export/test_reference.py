# SPDX-License-Identifier: Apache-2.0
"""The exported graph against the numpy float32 forward, on the tiny model whose export is exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.llm import ensure_llm
from export.llm.graph import GraphOptions
from export.llm.reference import load_reference
from export.llm.runner import OnnxLLM
from export.llm.sources import resolve

IDS = np.random.default_rng(5).integers(3, 512, 48)


@pytest.mark.parametrize(("level", "tolerance"), [(1, 0.05), (4, 0.2)])
def test_every_position_agrees(
    tiny_source: Path, tmp_path: Path, level: int, tolerance: float
) -> None:
    """Level 1 keeps f32 activations (the int8 head alone rounds); level 4 rounds them all."""
    folder = ensure_llm(str(tiny_source), tmp_path, options=GraphOptions(accuracy_level=level))
    expected = load_reference(resolve(str(tiny_source))).logits(IDS.tolist())
    llm = OnnxLLM(folder, rows=1, max_len=64)
    got = [llm.prefill(IDS[:16], row=0, chunk=16)[0]]
    got += [llm.forward([[IDS[at]]], [at])[0] for at in range(16, len(IDS))]
    delta = np.abs(np.stack(got) - expected[15:])
    assert expected.std() > 0.5
    assert delta.max() < tolerance * expected.std()


def test_prefill_is_causal_and_resumable(tiny_llm: Path) -> None:
    """A longer prompt leaves the cache of the shared prefix untouched."""
    llm = OnnxLLM(tiny_llm, rows=2, max_len=64)
    llm.prefill(IDS[:24], row=0, chunk=24)
    llm.prefill(IDS[:48], row=1, chunk=48)
    for cache in llm.cache.values():
        assert np.array_equal(cache[0, :, :24], cache[1, :, :24])
