# SPDX-License-Identifier: Apache-2.0
"""A chat's head cut into windows of 64 tokens, and which 8 of them are kept.

Seed: content_generation 2.3.1, CG-U-01. `first` is the seed's policy; `recent` keeps the windows
next to the tail, `salient` those that say most that no other kept window says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from bls.condense.spelling import Spelling
from bls.contracts import SUMMARY_WINDOW
from bls.errors import SkynetError
from bls.limits import LIMITS

Window = tuple[int, ...]
Policy = Callable[[Sequence[Window], int], list[int]]
"""Windows and how many to keep -> their numbers, rising."""


def windows_created(length: int, tail: int = LIMITS.tail_tokens) -> int:
    """ceil((L - tail) / 64) for a chat of `length` tokens; 0 where the tail is all of it."""
    return max(0, math.ceil((length - tail) / SUMMARY_WINDOW))


def cut(head: Sequence[int]) -> list[Window]:
    """The head in windows of 64 tokens, oldest first; the last one may be shorter."""
    starts = range(0, len(head), SUMMARY_WINDOW)
    return [tuple(head[start : start + SUMMARY_WINDOW]) for start in starts]


def first(windows: Sequence[Window], most: int) -> list[int]:
    """The oldest ones."""
    return list(range(len(windows)))[:most]


def recent(windows: Sequence[Window], most: int) -> list[int]:
    """The newest ones."""
    return list(range(len(windows)))[-most:]


class Salient:
    """The windows whose words are rarest in this chat, none counted twice.

    A word weighs ln(1 + windows / windows that have it); the window that adds most weight is taken,
    again and again. Greedy coverage is within 1 - 1/e of the best choice.
    """

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling

    def __call__(self, windows: Sequence[Window], most: int) -> list[int]:
        if len(windows) <= most:
            return list(range(len(windows)))
        words = [self._words(window) for window in windows]
        seen = Counter(word for some in words for word in some)
        weight = {word: math.log(1 + len(windows) / n) for word, n in seen.items()}
        left = dict(enumerate(words))
        kept: list[int] = []
        for _ in range(most):
            best = max(left, key=lambda at: (_worth(left[at], weight), -at))
            covered = left.pop(best)
            kept.append(best)
            for others in left.values():
                others.difference_update(covered)
        return sorted(kept)

    def _words(self, window: Window) -> set[str]:
        return {unit.letters for unit in self._spelling.units(window) if unit.content}


def _worth(words: set[str], weight: Mapping[str, float]) -> float:
    return math.fsum(weight[word] for word in words)


def policy_of(name: str, spelling: Spelling) -> Policy:
    """The policy of setting `condense`. Raises `bad_setting`."""
    policies: dict[str, Policy] = {"first": first, "recent": recent, "salient": Salient(spelling)}
    if name not in policies:
        raise SkynetError("bad_setting", "SKYNET_CONDENSE must be first, recent or salient.", 500)
    return policies[name]
