# SPDX-License-Identifier: Apache-2.0
"""Tokens drawn from the blend: the right ones, as often as they should be, at the right price."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from kernels_cuda import oracle
from kernels_cuda.auction import Auction, Draw, Outcome, Path
from tests.kernels.cases import Case, make_case

DRAWS = 1_000_000


def parts(draw: Draw) -> tuple[int, int, int]:
    return draw.seed, draw.conv, draw.index


def random_draw(rng: np.random.Generator) -> Draw:
    return Draw(*(int(part) for part in rng.integers(0, 2**63, 3)))


def assert_same(got: Outcome, want: oracle.Outcome) -> None:
    exact = ("token", "ref_token", "drawn_row", "near_tie")
    assert [getattr(got, name) for name in exact] == [getattr(want, name) for name in exact]
    assert got.margin == pytest.approx(want.margin, rel=0, abs=2e-8)
    np.testing.assert_allclose(got.p_token, want.p_token, rtol=2e-8, atol=1e-12)
    np.testing.assert_allclose(got.pay, want.pay, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(got.log_z, want.log_z, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(got.critical_bid, 0.0)
    np.testing.assert_array_equal(got.row_status, want.row_status)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_the_generator_is_philox(
    counter: tuple[int, int, int, int], key: tuple[int, int], words: tuple[int, int, int, int]
) -> None:
    """Known answers of Random123."""
    assert oracle.philox(counter, key) == words


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0, 8.0])
def test_draws_match_the_oracle(auction: Auction, rng: np.random.Generator, scale: float) -> None:
    for _ in range(40):
        case = make_case(rng, int(rng.integers(1, 9)), int(rng.choice([1, 65, 300, 3000])), scale)
        draw = random_draw(rng)
        assert_same(auction.run(*case.args, draw=draw), oracle.auction(*case.args, parts(draw)))


def test_draws_over_a_real_vocabulary(auction: Auction, rng: np.random.Generator) -> None:
    for scale in (0.0, 0.5, 3.0):
        case = make_case(rng, 4, 50_007, scale)
        for _ in range(3):
            draw = random_draw(rng)
            assert_same(auction.run(*case.args, draw=draw), oracle.auction(*case.args, parts(draw)))


def test_draws_of_half_precision_logits(auction: Auction, rng: np.random.Generator) -> None:
    for vocab in (1, 64, 1000):
        case, draw = make_case(rng, 4, vocab), random_draw(rng)
        half = Case(case.logits.astype(np.float16), case.weights, case.temperature)
        assert_same(auction.run(*half.args, draw=draw), oracle.auction(*half.args, parts(draw)))


@pytest.fixture(scope="module")
def four_tokens() -> tuple[Case, np.ndarray]:
    """One million draws of four tokens, on the fastest path."""
    case = make_case(np.random.default_rng(1), 3, 4, 1.0)
    with Auction() as auction:
        return case, auction.draws(*case.args, first=Draw(11, 22, 0), count=DRAWS)[0]


@pytest.mark.spec("AUC-U-07")
def test_frequencies_are_the_blends(four_tokens: tuple[Case, np.ndarray]) -> None:
    case, tokens = four_tokens
    blend = oracle.auction(*case.args).blend
    counts = np.bincount(tokens, minlength=4)
    assert stats.chisquare(counts, DRAWS * blend / blend.sum()).pvalue > 0.05


@pytest.mark.spec("AUC-U-07")
def test_neighbouring_draws_are_independent(four_tokens: tuple[Case, np.ndarray]) -> None:
    """Pairs of neighbouring indices are as frequent as independence says."""
    _, tokens = four_tokens
    pairs = np.bincount(4 * tokens[0::2] + tokens[1::2], minlength=16).reshape(4, 4)
    assert stats.chi2_contingency(pairs).pvalue > 0.05


@pytest.mark.spec("AUC-U-07")
def test_seeds_and_conversations_draw_independently(
    auction: Auction, rng: np.random.Generator
) -> None:
    case = make_case(rng, 3, 4, 1.0)
    blend = oracle.auction(*case.args).blend
    for field in ("seed", "conv"):
        draws = [dataclasses.replace(Draw(3, 4, 5), **{field: value}) for value in range(20_000)]
        counts = np.bincount([auction.run(*case.args, draw=d).token for d in draws], minlength=4)
        assert stats.chisquare(counts, 20_000 * blend / blend.sum()).pvalue > 0.01


def test_the_same_numbers_draw_the_same_token(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 4, 500, 0.5)
    draws = [random_draw(rng) for _ in range(50)]
    first = [auction.run(*case.args, draw=draw).token for draw in draws]
    assert first == [auction.run(*case.args, draw=draw).token for draw in reversed(draws)][::-1]
    assert len(set(first)) > 25


def test_impossible_tokens_and_dropped_rows_are_never_drawn(
    auction: Auction, rng: np.random.Generator
) -> None:
    for _ in range(200):
        case = make_case(rng, 4, 130, 0.3)
        barred = rng.random(130) < 0.7
        barred[int(rng.integers(130))] = False
        case.logits[:, barred] = -np.inf
        case.logits[2, :] = rng.choice([np.nan, -np.inf])
        case.weights[3] = 0.0
        draw = random_draw(rng)
        got = auction.run(*case.args, draw=draw)
        assert not barred[got.token] and got.drawn_row in (0, 1)
        assert got.pay[2] == got.pay[3] == 0.0
        assert_same(got, oracle.auction(*case.args, parts(draw)))


def test_a_dropped_row_leaves_no_trace(auction: Auction, rng: np.random.Generator) -> None:
    for _ in range(50):
        case, draw = make_case(rng, 3, 200, 1.0), random_draw(rng)
        broken = np.vstack([case.logits, np.full((1, 200), np.nan, np.float32)])
        weights = np.append(case.weights, np.float32(1.5))
        alone = auction.run(*case.args, draw=draw)
        beside = auction.run(broken, weights, case.temperature, draw=draw)
        assert (alone.token, alone.drawn_row) == (beside.token, beside.drawn_row)
        np.testing.assert_array_equal(alone.pay, beside.pay[:3])


def test_without_a_payer_the_reference_token_is_drawn(
    auction: Auction, rng: np.random.Generator
) -> None:
    case = make_case(rng, 3, 300, 1.0)
    case.weights[1:] = 0.0
    for _ in range(50):
        got = auction.run(*case.args, draw=random_draw(rng))
        assert got.token == got.ref_token and got.drawn_row == 0 and not got.pay.any()


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    return float(np.abs(p - q).sum() / 2)


@pytest.mark.parametrize("bid", [0.05, 0.5, 2.0, 10.0])
def test_the_mean_payment_is_the_closed_form(rng: np.random.Generator, bid: float) -> None:
    """E[pay_i] = TV(P_i, q_-i) K over the draws, within 4 standard errors."""
    case = make_case(rng, 3, 40, 2.0)
    case.weights[1] = bid
    p = oracle.softmax(case.logits.astype(np.float64), case.temperature)
    w = case.weights.astype(np.float64)
    s, b = w[0] + w[2], w[1]
    without = (w[0] * p[0] + w[2] * p[2]) / s
    k = s * np.log1p(b / s) - s * b / (s + b)
    with Auction() as auction:
        pays = auction.draws(*case.args, first=Draw(5, 6, 0), count=60_000)[1][:, 1]
    error = np.std(pays) / np.sqrt(len(pays))
    assert np.mean(pays) == pytest.approx(total_variation(p[1], without) * k, abs=4 * error)


def test_payments_of_tiny_and_huge_bids(auction: Auction, rng: np.random.Generator) -> None:
    """1e-6 relative where 1 - q_-i / q and K cancel."""
    for bid in (1e-12, 1e-6, 1e-3, 1e3, 1e6):
        case = make_case(rng, 3, 50, 2.0)
        case.weights[1] = bid
        draw = random_draw(rng)
        got = auction.run(*case.args, draw=draw)
        s = float(case.weights[0]) + float(case.weights[2])
        b, p = float(case.weights[1]), oracle.auction(*case.args, parts(draw)).p_token
        without = float(case.weights[0]) * p[0] + float(case.weights[2]) * p[2]
        assert got.pay[1] == pytest.approx(precise_payment(b, s, p[1], without), rel=1e-6)


def precise_payment(b: float, s: float, p: float, without: float) -> float:
    """The same formula without cancellation: 1 - q_-i / q = b (P_i - q_-i) / (s q_-i + b P_i)."""
    r, q_without = b / s, without / s
    gain = b * max(0.0, p - q_without) / (s * q_without + b * p)
    series = r / 2 - r**2 / 6 + r**3 / 12 - r**4 / 20
    shape = series if r < 1e-3 else (1 + r) / r * np.log1p(r) - 1
    return float(gain * s * shape)


@pytest.mark.spec("AUC-C-05")
def test_the_mode_changes_the_entropy_of_what_is_said(auction: Auction) -> None:
    """The same reply, 2,000 tokens: argmax always says one, a draw says them by the blend."""
    case = make_case(np.random.default_rng(2), 3, 50, 1.0)
    fixed = [auction.run(*case.args).token for _ in range(2_000)]
    drawn = [auction.run(*case.args, draw=Draw(1, 2, index)).token for index in range(2_000)]

    def entropy(tokens: list[int]) -> float:
        return float(stats.entropy(np.bincount(tokens, minlength=50)))

    assert entropy(drawn) - entropy(fixed) > 0.5


def test_paths_draw_alike(rng: np.random.Generator) -> None:
    with Auction(Path.SCALAR) as twin, Auction() as fast:
        for _ in range(100):
            case, draw = (
                make_case(rng, 4, 700, float(rng.choice([0.0, 0.5, 4.0]))),
                random_draw(rng),
            )
            slow, quick = (each.run(*case.args, draw=draw) for each in (twin, fast))
            assert (slow.token, slow.ref_token) == (quick.token, quick.ref_token)
            np.testing.assert_allclose(quick.pay, slow.pay, rtol=1e-6, atol=1e-12)
