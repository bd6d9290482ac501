# SPDX-License-Identifier: Apache-2.0
"""Many variants of one reply at once: they share every row until their tokens part.

A row's logits depend on its prompt and the tokens so far, not on the weights. So all variants of a
reply start as one branch of R rows; where they choose different tokens the branch is split and its
KV rows are copied. One decode run advances every branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bls.limits import LIMITS
from bls.llm.jobs import Conversation, Prefill
from bls.llm.kv_cache import KVCache
from bls.llm.prefill import PrefillTask
from bls.llm.session import LLMSession

Rows = tuple[tuple[int, ...], ...]


@dataclass
class Branch:
    """Variants that have said the same tokens; its rows lie at `slot * R` of the cache."""

    slot: int
    variants: list[int]
    tokens: list[int] = field(default_factory=list)


class Branches:
    """The live branches of one reply, in slots 0, 1, ... without gaps.

    Args:
        session, cache: at least `R x variants` rows each.
        prompt: the token ids of every row.
    """

    def __init__(self, session: LLMSession, cache: KVCache, prompt: Rows, variants: int) -> None:
        self._session = session
        self._cache = cache
        self._lengths = np.array([len(row) for row in prompt], np.int32)
        self._live = [Branch(0, list(range(variants)))]
        self._prefill(prompt)

    @property
    def rows(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[tuple[Branch, NDArray[np.float32]]]:
        """Every live branch with its next logits [R, V]."""
        for branch in self._live:
            start = branch.slot * self.rows
            yield branch, self._session.logits[start : start + self.rows]

    def advance(self, choices: dict[int, int], ends: frozenset[int]) -> bool:
        """Every variant says its token (variant -> token); False when none goes on.

        Variants that say an end token leave.
        """
        for branch in list(self._live):
            self._split(branch, choices, ends)
        if self._live:
            self._decode()
        return bool(self._live)

    def _split(self, branch: Branch, choices: dict[int, int], ends: frozenset[int]) -> None:
        groups: dict[int, list[int]] = {}
        for variant in branch.variants:
            if choices[variant] not in ends:
                groups.setdefault(choices[variant], []).append(variant)
        if not groups:
            self._remove(branch)
            return
        before = list(branch.tokens)
        for place, (token, variants) in enumerate(groups.items()):
            heir = branch if place == 0 else self._fork(branch, before)
            heir.variants = variants
            heir.tokens.append(token)

    def _fork(self, branch: Branch, tokens: list[int]) -> Branch:
        """A copy of the branch, before its next token, in a new slot."""
        heir = Branch(len(self._live), [], list(tokens))
        self._copy(branch.slot, heir.slot, len(tokens))
        self._live.append(heir)
        return heir

    def _remove(self, branch: Branch) -> None:
        """Take a branch out; the last one moves into its slot."""
        last = self._live.pop()
        if last is not branch:
            self._copy(last.slot, branch.slot, len(last.tokens))
            last.slot = branch.slot
            self._live[last.slot] = last

    def _copy(self, source: int, target: int, tokens: int) -> None:
        for row in range(self.rows):
            filled = int(self._lengths[row]) + tokens
            begin, end = source * self.rows + row, target * self.rows + row
            self._cache.copy_row(self._cache, begin, end, filled)

    def _decode(self) -> None:
        tokens = np.repeat([branch.tokens[-1] for branch in self._live], self.rows)
        said = np.repeat([len(branch.tokens) - 1 for branch in self._live], self.rows)
        past = np.tile(self._lengths, len(self._live)) + said.astype(np.int32)
        self._session.decode(self._cache, 0, tokens.astype(np.int64), past.astype(np.int32))

    def _prefill(self, prompt: Rows) -> None:
        job = Prefill(conv=0, salt=0, rows=prompt, reply=lambda result: None)
        conversation = Conversation(0, 0, prompt, 0, 0.0, [0] * len(prompt))
        task = PrefillTask(job, conversation, self._session, self._cache, LIMITS.prefill_chunk_min)
        while not task.done:
            task.advance(LIMITS.prefill_chunk_alone)
