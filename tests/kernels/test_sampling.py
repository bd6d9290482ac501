# SPDX-License-Identifier: Apache-2.0
"""Sampling mode: what is drawn, how often, and that nothing but the draw's numbers decides it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from kernels_cuda import oracle
from kernels_cuda.auction import Auction, Draw, DrawError, Outcome, Path
from kernels_cuda.call import Call
from tests.kernels.cases import Case, make_case

FIRST = Draw(seed=20_251_121, conv=7, index=0)
FOUR = np.log(np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.1, 0.2, 0.6]], np.float32))
WEIGHTS = np.array([1.0, 0.7], np.float32)


def blend(case: Case) -> np.ndarray:
    """N / W in float64."""
    p = oracle.softmax(case.logits.astype(np.float64), case.temperature)
    n = case.weights.astype(np.float64) @ p
    return n / n.sum()


def tokens(auction: Auction, case: Case, count: int, first: Draw = FIRST) -> np.ndarray:
    return auction.draws(*case.args, first, count)


# The three known answers published with Random123, philox4x32 with 10 rounds.
PHILOX = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.spec("AUC-U-07")
@pytest.mark.parametrize(("counter", "key", "want"), PHILOX)
def test_philox_known_answers(counter: list[int], key: list[int], want: list[int]) -> None:
    got = oracle.philox(np.array(counter, np.uint64), np.array(key, np.uint64))
    assert got.tolist() == want


@pytest.mark.spec("AUC-U-07")
def test_a_million_draws_follow_the_blend(auction: Auction) -> None:
    case = Case(FOUR, WEIGHTS, 1.0)
    counts = np.bincount(tokens(auction, case, 1_000_000), minlength=4)
    assert stats.chisquare(counts, 1_000_000 * blend(case)).pvalue > 0.05


@pytest.mark.spec("AUC-U-07")
def test_many_tokens_follow_the_blend(auction: Auction, rng: np.random.Generator) -> None:
    """3,000 tokens, several blocks and groups; rare ones pooled."""
    draws = 5000
    case = make_case(rng, 4, 3000, 2.0)
    share = blend(case)
    counts = np.bincount(tokens(auction, case, draws), minlength=3000)
    common = share > 5 / draws
    observed = np.r_[counts[common], counts[~common].sum()]
    expected = draws * np.r_[share[common], share[~common].sum()]
    assert stats.chisquare(observed, expected).pvalue > 0.01


@pytest.mark.spec("AUC-U-07")
@pytest.mark.parametrize("other", [{"conv": 8}, {"seed": 1}, {"index": 100_000}, {"index": 1}])
def test_neighbouring_draws_are_independent(auction: Auction, other: dict[str, int]) -> None:
    """Another conversation, seed or index: the pairs fill a contingency table as if independent."""
    case = Case(FOUR, WEIGHTS, 1.0)
    here = tokens(auction, case, 50_000)
    there = tokens(auction, case, 50_000, replace(FIRST, **other))
    table, _, _ = np.histogram2d(here, there, bins=[np.arange(5) - 0.5] * 2)
    assert stats.chi2_contingency(table).pvalue > 0.01


@pytest.mark.spec("AUC-U-07")
def test_rows_are_drawn_in_proportion_to_their_weights(
    auction: Auction, rng: np.random.Generator
) -> None:
    case = make_case(rng, 5, 10)
    case.weights[:] = [1.0, 0.5, 0.0, 2.0, 0.25]
    rows = [auction.run(*case.args, draw=replace(FIRST, index=i)).drawn_row for i in range(4000)]
    counts = np.bincount(rows, minlength=5)
    assert counts[2] == 0
    kept = case.weights > 0
    expected = 4000 * case.weights[kept].astype(np.float64) / case.weights.sum()
    assert stats.chisquare(counts[kept], expected).pvalue > 0.01


def same(one: Outcome, other: Outcome) -> bool:
    return (
        (one.token, one.ref_token, one.drawn_row) == (other.token, other.ref_token, other.drawn_row)
        and np.array_equal(one.pay, other.pay)
        and one.margin == other.margin
    )


@pytest.mark.spec("AUC-U-07")
def test_the_same_numbers_give_the_same_outcome(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 4, 5000, 2.0)
    with Auction(auction.path) as another:
        for index in range(50):
            draw = replace(FIRST, index=index)
            first = auction.run(*case.args, draw=draw)
            another.run(*make_case(rng, 2, 300).args)  # whatever came before
            assert same(first, another.run(*case.args, draw=draw))


@pytest.mark.spec("AUC-U-07")
def test_every_word_of_a_draw_counts(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 2, 50_007, 0.5)
    words = [Draw(0, 0, 0)]
    for name in ("seed", "conv", "index"):
        words += [replace(words[0], **{name: 1 << bit}) for bit in (0, 31, 32, 63)]
    drawn = {auction.run(*case.args, draw=draw).token for draw in words}
    assert len(drawn) > len(words) - 3


@pytest.mark.spec("AUC-U-07")
@pytest.mark.parametrize(("vocab", "scale"), [(50_007, 3.0), (50_007, 0.2), (2049, 1.0)])
def test_the_token_is_the_oracles(
    auction: Auction, rng: np.random.Generator, vocab: int, scale: float
) -> None:
    """Flat rows too, where rounding leaves the f32 sums in doubt most often."""
    case = make_case(rng, 2, vocab, scale)
    case.weights[1] = 0.8
    p = case.logits.astype(np.float64)
    for index in range(100):
        draw = replace(FIRST, index=index)
        got = auction.run(*case.args, draw=draw)
        words = (np.array(word, np.uint64) for word in (draw.seed, draw.conv, draw.index))
        u_row, u_token = (float(u) for u in oracle.uniforms(*words))
        row = oracle.draw_from(case.weights.astype(np.float64), u_row)
        assert got.drawn_row == row
        assert got.token == oracle.draw_token(p[row], case.temperature, u_token)
        assert got.ref_token == oracle.draw_token(p[0], case.temperature, u_token)


@pytest.mark.spec("AUC-U-07")
def test_impossible_tokens_are_never_drawn(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 3, 600, 0.5)
    barred = rng.random(600) < 0.7
    case.logits[:, barred] = -np.inf
    assert not barred[tokens(auction, case, 20_000)].any()


def test_the_first_and_the_last_possible_token_are_drawn(auction: Auction) -> None:
    logits = np.full((1, 5000), -np.inf, np.float32)
    logits[0, [3, 4990]] = 0.0
    drawn = tokens(auction, Case(logits, np.ones(1, np.float32), 1.0), 200)
    assert set(drawn.tolist()) == {3, 4990}


@pytest.mark.spec("AUC-U-07")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_dropped_row_is_never_drawn_and_leaves_no_trace(
    auction: Auction, rng: np.random.Generator, value: float
) -> None:
    case = make_case(rng, 4, 500)
    case.weights[2] = 1000.0
    case.logits[2, 130] = value
    kept = Case(np.delete(case.logits, 2, axis=0), np.delete(case.weights, 2), case.temperature)
    for index in range(200):
        draw = replace(FIRST, index=index)
        got, want = auction.run(*case.args, draw=draw), auction.run(*kept.args, draw=draw)
        assert got.drawn_row != 2 and got.pay[2] == 0
        assert (got.token, got.ref_token, got.margin) == (want.token, want.ref_token, want.margin)
        np.testing.assert_array_equal(np.delete(got.pay, 2), want.pay)


def test_what_a_draw_reports(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 4, 400, 1.0)
    seen_negative = False
    for index in range(100):
        got = auction.run(*case.args, draw=replace(FIRST, index=index))
        n = blend(case) * case.weights.astype(np.float64).sum()
        elsewhere = np.delete(n, got.token).max()
        assert got.margin == pytest.approx(n[got.token] - elsewhere, rel=0, abs=1e-8)
        assert got.blend_token == pytest.approx(n[got.token], rel=1e-7)
        assert not got.near_tie and (got.critical_bid == 0).all()
        assert got.pay[0] == 0
        if got.drawn_row == 0:
            assert got.token == got.ref_token
        seen_negative |= got.margin < 0
    assert seen_negative


def test_a_lone_token_is_drawn(auction: Auction) -> None:
    logits = np.zeros((2, 1), np.float32)
    got = auction.run(logits, np.ones(2, np.float32), 1.0, draw=FIRST)
    assert (got.token, got.margin) == (0, pytest.approx(2.0))


@pytest.mark.spec("AUC-C-05")
def test_the_mode_changes_the_entropy_of_the_tokens(auction: Auction) -> None:
    """2,000 replies from one distribution: argmax says one token, sampling 1.3 nats' worth."""
    case = Case(FOUR, WEIGHTS, 1.0)

    def entropy(chosen: np.ndarray) -> float:
        return float(stats.entropy(np.bincount(chosen)))

    argmax = np.array([auction.run(*case.args).token for _ in range(2000)])
    assert entropy(tokens(auction, case, 2000)) - entropy(argmax) > 0.5


def test_paths_draw_the_same(rng: np.random.Generator) -> None:
    with Auction(Path.SCALAR) as twin, Auction() as fast:
        for scale in (0.3, 1.0, 3.0):
            case = make_case(rng, 3, 4000, scale)
            np.testing.assert_array_equal(tokens(twin, case, 300), tokens(fast, case, 300))


@pytest.mark.parametrize("word", [-1, 1 << 64])
@pytest.mark.parametrize("name", ["seed", "conv", "index"])
def test_numbers_beyond_64_bits_are_refused(name: str, word: int) -> None:
    with pytest.raises(DrawError, match=name):
        replace(FIRST, **{name: word})


def test_an_unknown_mode_is_refused(auction: Auction) -> None:
    call = Call(FOUR, WEIGHTS, 1.0)
    call.input.mode = 2
    with pytest.raises(DrawError, match="mode"):
        auction.call(call)
