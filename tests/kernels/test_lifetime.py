# SPDX-License-Identifier: Apache-2.0
"""The caller's logits and weights are read while run runs, and at no other time, and never written.

A violation is a segmentation fault: the pages are unreadable before and after the call, and
read-only during it.
"""

from __future__ import annotations

import mmap
import time

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.auction import Auction, Draw, Outcome
from kernels_cuda.call import Call
from tests.kernels.cases import make_case
from tests.kernels.pages import Pages


def run_on_pages(auction: Auction, case, draw: Draw | None, dtype: type) -> Outcome:
    """One run on memory that goes away with the call's return."""
    logits, weights = Pages(case.logits.astype(dtype)), Pages(case.weights)
    call = Call(logits.values, weights.values, case.temperature, draw, top=True)
    for pages in (logits, weights):
        pages.allow(mmap.PROT_READ)
    auction.call(call)
    for pages in (logits, weights):
        pages.allow(0)
    time.sleep(0.01)  # a reader left behind would fault here
    got = call.outcome()
    for pages in (logits, weights):
        pages.unmap()
    return got


@pytest.mark.spec("AUC-U-08")
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("draw", [None, Draw(1, 2, 3)], ids=["argmax", "sample"])
@pytest.mark.parametrize("vocab", [300, 50_007])
def test_pointers_are_used_during_the_call_only(
    auction: Auction, rng: np.random.Generator, vocab: int, draw: Draw | None, dtype: type
) -> None:
    case = make_case(rng, 3, vocab)
    got = run_on_pages(auction, case, draw, dtype)
    want = oracle.auction(case.logits.astype(dtype), case.weights, case.temperature, draw)
    assert (got.token, got.ref_token) == (want.token, want.ref_token)
    np.testing.assert_allclose(got.pay, want.pay, rtol=1e-6, atol=1e-12)
    other = make_case(rng, 4, vocab + 64)  # the workspace kept nothing of the unmapped reply
    assert auction.run(*other.args).token == oracle.auction(*other.args).token


@pytest.mark.spec("AUC-U-08")
def test_nothing_is_read_before_the_call(auction: Auction, rng: np.random.Generator) -> None:
    """Preparing a call touches no logit: they may still be on their way."""
    case = make_case(rng, 3, 5000)
    logits = Pages(np.full_like(case.logits, np.nan))
    logits.allow(0)
    call = Call(logits.values, case.weights, case.temperature)
    logits.allow(mmap.PROT_READ | mmap.PROT_WRITE)
    logits.values[:] = case.logits
    auction.call(call)
    assert call.outcome().token == oracle.auction(*case.args).token
    logits.unmap()


@pytest.mark.spec("AUC-U-08")
def test_the_outcome_survives_an_overwrite(auction: Auction, rng: np.random.Generator) -> None:
    """The shadow copy of the seed: the same reply from memory that nobody touches."""
    case = make_case(rng, 3, 5000)
    shadow = case.logits.copy()
    got = auction.run(*case.args, top=True)
    np.testing.assert_array_equal(case.logits, shadow)
    case.logits[:] = np.nan
    want = auction.run(shadow, case.weights, case.temperature, top=True)
    for name in ("token", "margin", "blend_token"):
        assert getattr(got, name) == getattr(want, name)
    for name in ("pay", "critical_bid", "log_z", "p_token", "top_id", "top_logit"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
