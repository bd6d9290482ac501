# SPDX-License-Identifier: Apache-2.0
"""Whole replies replayed with one advertiser's bid scaled: does a constant factor pay?

A reply is a dynamic game: an earlier token changes all later ones, so truthfulness per token says
nothing of it. Each variant is a full reply that the model really writes with those weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.audit.branches import Branches, Rows
from bls.audit.chats import AuditedChat
from bls.audit.options import AuditOptions
from bls.bidding import Seat
from bls.llm.kv_cache import KVCache
from bls.llm.session import LLMSession
from kernels_cuda.auction import Auction, Outcome

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Situation:
    """One token of a truthful reply, as the auction saw it.

    Attributes:
        logits: [R, V]; weights: [R], row 0 the reference; both as given to the kernel.
    """

    reply: int
    index: int
    logits: NDArray[np.float32]
    weights: NDArray[np.float32]
    temperature: float


@dataclass(frozen=True)
class ReplyGame:
    """What each advertiser got from one reply under each factor, others truthful.

    Attributes:
        utility: [advertisers, factors] sum over tokens of v_i P_i(t) - pay_i.
        value, pay: its parts; tokens: [advertisers, factors] length of that reply.
        changed: [advertisers, factors] the tokens differ from the truthful reply's.
    """

    name: str
    advertisers: tuple[str, ...]
    bids: tuple[float, ...]
    value: F64
    pay: F64
    tokens: NDArray[np.int64]
    changed: NDArray[np.bool_]

    @property
    def utility(self) -> F64:
        return self.value - self.pay


class Variants:
    """Row i's weight scaled by a factor, for every i and factor; variant 0 is the truth."""

    def __init__(self, seats: tuple[Seat, ...], options: AuditOptions) -> None:
        self._factors = options.factors
        self.truth = np.array([options.w_ref, *(seat.bid for seat in seats)], np.float32)
        self._scaled = [
            (row, place)
            for row in range(1, len(self.truth))
            for place, factor in enumerate(options.factors)
            if factor != 1.0
        ]
        self.weights = [self.truth]
        for row, place in self._scaled:
            weights = self.truth.copy()
            weights[row] *= np.float32(options.factors[place])
            self.weights.append(weights)

    def __len__(self) -> int:
        return len(self.weights)

    def table(self, per_variant: F64) -> F64:
        """[variants, R] sums of every row -> [advertisers, factors] of the row that varies."""
        advertisers = len(self.truth) - 1
        table = np.tile(per_variant[0, 1:, None], (1, len(self._factors)))
        for variant, (row, place) in enumerate(self._scaled, 1):
            table[row - 1, place] = per_variant[variant, row]
        return table.reshape(advertisers, len(self._factors))


class Replayer:
    """Writes replies in all variants with the real model and the compiled auction."""

    def __init__(self, session: LLMSession, options: AuditOptions, auction: Auction) -> None:
        self._session = session
        self._options = options
        self._auction = auction
        self._ends = frozenset(session.manifest.eos_ids)

    def play(
        self,
        chat: AuditedChat,
        reply: int,
        prompt: Rows,
        cache: KVCache,
        seen: Callable[[Situation], None],
    ) -> ReplyGame:
        """All variants of one reply, number `reply`. `seen` gets the truthful one's tokens."""
        variants = Variants(chat.seats, self._options)
        book = _Book(variants)
        branches = Branches(self._session, cache, prompt, len(variants))
        for index in range(self._options.tokens):
            choices = {}
            for branch, logits in branches:
                if 0 in branch.variants:
                    weights, temperature = variants.truth, self._options.temperature
                    seen(Situation(reply, index, logits, weights, temperature))
                for variant in branch.variants:
                    weights = variants.weights[variant]
                    outcome = self._auction.run(logits, weights, self._options.temperature)
                    book.add(variant, outcome)
                    choices[variant] = outcome.token
            if not branches.advance(choices, self._ends):
                break
        return book.game(chat)


class _Book:
    """Running sums of every variant."""

    def __init__(self, variants: Variants) -> None:
        self._variants = variants
        shape = (len(variants), len(variants.truth))
        self._value, self._pay = np.zeros(shape), np.zeros(shape)
        self._tokens: list[list[int]] = [[] for _ in variants.weights]

    def add(self, variant: int, outcome: Outcome) -> None:
        """Values are at the true weights, whatever the variant bids."""
        self._value[variant] += self._variants.truth * outcome.p_token
        self._pay[variant] += outcome.pay
        self._tokens[variant].append(outcome.token)

    def game(self, chat: AuditedChat) -> ReplyGame:
        rows = len(self._variants.truth)
        lengths = np.array([len(tokens) for tokens in self._tokens], np.float64)
        changed = np.array([tokens != self._tokens[0] for tokens in self._tokens], np.float64)
        table = self._variants.table
        return ReplyGame(
            name=chat.name,
            advertisers=tuple(seat.advertiser for seat in chat.seats),
            bids=tuple(seat.bid for seat in chat.seats),
            value=table(self._value),
            pay=table(self._pay),
            tokens=table(np.tile(lengths[:, None], rows)).astype(np.int64),
            changed=table(np.tile(changed[:, None], rows)).astype(bool),
        )
