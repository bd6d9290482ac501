# SPDX-License-Identifier: Apache-2.0
"""A chat as the system turn, the head that is summarised and the tail that stays word for word.

Seed: content_generation 2.3.1. The tail is the last 256 tokens of the rendered chat, its turn
headers counted; the message at the border is cut, its end stays. Where nothing stands for the head
the tail takes its room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from bls.errors import invalid
from bls.limits import Limits
from bls.prompt.template import ChatTemplate, Turn

_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "System"}
_MERGES = 4
"""Cutting a text can change how it is tokenised: it is cut this many tokens shorter."""


@dataclass(frozen=True)
class Split:
    """One chat.

    Attributes:
        tail: turns after the system one, oldest first; the newest message is always among them.
        alone: the longer tail of a prompt without summaries.
        head: token ids of what is older than `tail`, a transcript in plain text; empty where the
            whole chat fits.
        tokens: length of the whole chat, rendered.
    """

    system: Turn
    tail: tuple[Turn, ...]
    alone: tuple[Turn, ...]
    head: tuple[int, ...]
    tokens: int

    @property
    def whole(self) -> bool:
        return not self.head


@dataclass(frozen=True)
class _Told:
    """A turn, the ids of its text, and what it costs in a prompt."""

    turn: Turn
    ids: list[int]
    cost: int


def split(turns: Sequence[Turn], template: ChatTemplate, limits: Limits) -> Split:
    """`turns` begin with the system one. Every text is tokenised once. Raises `prompt_too_long`."""
    system, rest = turns[0], turns[1:]
    told = _told(rest, template)
    opening = len(template.render([system], reply_header=True))
    tokens = opening + sum(one.cost for one in told)
    if tokens > limits.prompt_tokens:
        raise invalid(
            "prompt_too_long",
            f"The chat has {tokens} tokens; at most {limits.prompt_tokens}.",
            "messages",
        )
    if tokens <= limits.prefix_tokens:
        return Split(system, tuple(rest), tuple(rest), (), tokens)
    system = _end_of(system, limits.prefix_tokens - limits.tail_tokens, template)
    opening = len(template.render([system], reply_header=True))
    older, tail = _tail(told, limits.tail_tokens, template)
    _, alone = _tail(told, limits.prefix_tokens - opening, template)
    return Split(system, tail, alone, _transcript(older, template), tokens)


def _told(rest: Sequence[Turn], template: ChatTemplate) -> list[_Told]:
    system = Turn("system", "a")
    opening = len(template.render([system], reply_header=False))
    around = {  # what a turn adds to its text
        role: len(template.render([system, Turn(role, "a")], reply_header=False)) - opening - 1
        for role in {turn.role for turn in rest}
    }
    texts = ((turn, template.encode(turn.text)) for turn in rest)
    return [_Told(turn, ids, len(ids) + around[turn.role]) for turn, ids in texts]


def _tail(
    told: Sequence[_Told], room: int, template: ChatTemplate
) -> tuple[list[tuple[str, list[int]]], tuple[Turn, ...]]:
    """((role, ids) of what is older, the newest turns in `room` tokens)."""
    tail: list[Turn] = []
    for place in range(len(told) - 1, -1, -1):
        one = told[place]
        if one.cost <= room:
            tail.insert(0, one.turn)
            room -= one.cost
            continue
        keep = room - (one.cost - len(one.ids)) - _MERGES
        older = [(each.turn.role, each.ids) for each in told[: place + 1]]
        if keep > 0 or not tail:
            keep = max(1, keep)
            tail.insert(0, Turn(one.turn.role, template.decode(one.ids[-keep:])))
            older[-1] = (one.turn.role, one.ids[:-keep])
        return older, tuple(tail)
    return [], tuple(tail)


def _transcript(older: Sequence[tuple[str, list[int]]], template: ChatTemplate) -> tuple[int, ...]:
    """Ids of "User: ...", one turn a line."""
    labels = {role: template.encode(f"{name}: ") for role, name in _SPEAKERS.items()}
    end = template.encode("\n")
    return tuple(chain.from_iterable(chain(labels[role], ids, end) for role, ids in older))


def _end_of(turn: Turn, room: int, template: ChatTemplate) -> Turn:
    """A turn whose rendered length is at most `room`: its beginning is cut off."""
    excess = len(template.render([turn], reply_header=False)) - room
    if excess <= 0:
        return turn
    ids = template.encode(turn.text)
    keep = max(1, len(ids) - excess - _MERGES)
    return Turn(turn.role, template.decode(ids[-keep:]))
