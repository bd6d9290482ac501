# SPDX-License-Identifier: Apache-2.0
"""Whole replies in all variants at once are what each variant alone would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bls.audit.branches import Branches
from bls.audit.chats import AuditedChat, audited_chats
from bls.audit.options import AuditOptions
from bls.audit.replies import Replayer, Situation, Variants
from bls.bidding import Seat
from bls.campaigns import load_campaigns
from bls.errors import SkynetError
from bls.llm.kv_cache import KVCache
from bls.llm.session import LLMSession, SessionOptions
from bls.request import Message
from kernels_cuda.auction import Auction

PROMPT = (tuple(range(10, 40)), (*range(10, 36), 7, 8, 9, 11), (*range(10, 36), 50, 51, 52))
SEATS = (Seat("one", "ad", 1.5), Seat("two", "ad", 2.5))
OPTIONS = AuditOptions(tokens=12, bidders=2, factors=(0.0, 0.5, 1.0, 2.0, 8.0))
ROWS = 64


@pytest.fixture(scope="module")
def session(tiny: Path) -> LLMSession:
    return LLMSession(tiny, SessionOptions(threads=2, rows=ROWS))


def alone(session: LLMSession, weights: np.ndarray, ends: frozenset[int]) -> list[list[float]]:
    """One variant by itself: [token, pay of every row, P of every row] per token."""
    cache = KVCache(session.manifest, ROWS, 64)
    branches = Branches(session, cache, PROMPT, 1)
    said = []
    with Auction() as auction:
        for _ in range(OPTIONS.tokens):
            ((_, logits),) = branches
            got = auction.run(logits, weights, OPTIONS.temperature)
            said.append([got.token, *got.pay, *got.p_token])
            if not branches.advance({0: got.token}, ends):
                break
    return said


def play(session: LLMSession) -> tuple[object, list[Situation]]:
    chat = AuditedChat("chat", (Message(role="user", content="hi"),), SEATS)
    seen: list[Situation] = []
    with Auction() as auction:
        replayer = Replayer(session, OPTIONS, auction)
        cache = KVCache(session.manifest, ROWS, 64)
        game = replayer.play(chat, 0, PROMPT, cache, seen.append)
    return game, seen


def test_variants_together_are_variants_alone(session: LLMSession) -> None:
    """Utilities, lengths and differences of every variant, bit for bit the same tokens."""
    game, seen = play(session)
    truth = Variants(SEATS, OPTIONS).truth.astype(np.float64)
    ends = frozenset(session.manifest.eos_ids)
    reference = [said[0] for said in alone(session, truth.astype(np.float32), ends)]
    changed = 0
    for row in (1, 2):
        for place, factor in enumerate(OPTIONS.factors):
            weights = truth.copy()
            weights[row] *= factor
            said = np.array(alone(session, weights.astype(np.float32), ends))
            value = float((truth[row] * said[:, 1 + 3 + row]).sum())
            assert game.value[row - 1, place] == pytest.approx(value, rel=1e-12)
            assert game.pay[row - 1, place] == pytest.approx(float(said[:, 1 + row].sum()))
            assert game.tokens[row - 1, place] == len(said)
            differs = said[:, 0].astype(int).tolist() != reference
            assert game.changed[row - 1, place] == differs
            changed += differs
    assert changed >= 3, "the variants of this test should part"
    assert len(seen) == len(reference)


def test_the_truthful_column_is_the_same_for_everybody(session: LLMSession) -> None:
    game, _ = play(session)
    assert not game.changed[:, OPTIONS.truth].any()
    assert len(set(game.tokens[:, OPTIONS.truth].tolist())) == 1


def test_branches_that_end_make_room(session: LLMSession) -> None:
    """Variants leave in any order; the others' logits stay theirs."""
    ends = frozenset({5})
    script = {0: [60, 61, 62, 63], 1: [60, 5], 2: [70, 71, 5], 3: [70, 71, 72, 73]}
    cache = KVCache(session.manifest, ROWS, 64)
    together = Branches(session, cache, PROMPT, len(script))
    logits: dict[int, list[np.ndarray]] = {variant: [] for variant in script}
    for step in range(4):
        choices = {}
        for branch, rows in together:
            for variant in branch.variants:
                logits[variant].append(rows.copy())
                choices[variant] = script[variant][step]
        together.advance(choices, ends)
    assert {variant: len(seen) for variant, seen in logits.items()} == {0: 4, 1: 2, 2: 3, 3: 4}
    for variant, tokens in script.items():
        single = Branches(session, KVCache(session.manifest, ROWS, 64), PROMPT, 1)
        for step, token in enumerate(tokens):
            ((_, rows),) = single
            np.testing.assert_array_equal(rows, logits[variant][step])
            single.advance({0: token}, ends)


def test_chats_and_campaigns_follow_the_seed() -> None:
    campaigns = load_campaigns()
    first, again = (audited_chats(campaigns, AuditOptions(replies=50)) for _ in range(2))
    other = audited_chats(campaigns, AuditOptions(replies=50, seed=1))
    assert first == again != other and len(first) == 50
    assert len({chat.name for chat in first[:22]}) == 22
    for chat in first:
        assert len({seat.advertiser for seat in chat.seats}) == 3
        assert chat.messages[-1].role == "user"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"replies": 0}, "replies"),
        ({"tokens": 257}, "tokens"),
        ({"bidders": 9}, "bidders"),
        ({"draws": 0}, "draws"),
        ({"factors": (0.5, 2.0)}, "factors"),
        ({"factors": (-1.0, 1.0)}, "factors"),
    ],
)
def test_bad_options_are_refused_by_name(changes: dict[str, object], param: str) -> None:
    with pytest.raises(SkynetError) as caught:
        AuditOptions(**changes)  # type: ignore[arg-type]
    assert caught.value.param == param
