# SPDX-License-Identifier: Apache-2.0
"""A chat as the system turn, the head that is summarised and the tail that stays word for word.

Seed: content_generation 2.3.1. The tail is the last 256 tokens of the rendered chat, its turn
headers counted; the message at the border is cut, its end stays. Where nothing stands for the head
the tail takes its room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def split(turns: Sequence[Turn], template: ChatTemplate, limits: Limits) -> Split:
    """`turns` begin with the system one. Raises `prompt_too_long`."""
    tokens = len(template.render(turns, reply_header=True))
    if tokens > limits.prompt_tokens:
        raise invalid(
            "prompt_too_long",
            f"The chat has {tokens} tokens; at most {limits.prompt_tokens}.",
            "messages",
        )
    system, rest = turns[0], list(turns[1:])
    if tokens <= limits.prefix_tokens:
        return Split(system, tuple(rest), tuple(rest), (), tokens)
    system = _end_of(system, limits.prefix_tokens - limits.tail_tokens, template)
    opening = template.render([system], reply_header=True)
    older, tail = _tail(rest, limits.tail_tokens, system, template)
    _, alone = _tail(rest, limits.prefix_tokens - len(opening), system, template)
    said = "".join(f"{_SPEAKERS[turn.role]}: {turn.text}\n" for turn in older)
    return Split(system, tuple(tail), tuple(alone), tuple(template.encode(said)), tokens)


def _tail(
    rest: Sequence[Turn], room: int, system: Turn, template: ChatTemplate
) -> tuple[list[Turn], list[Turn]]:
    """(what is older, the newest turns in `room` tokens)."""
    opening = len(template.render([system], reply_header=False))
    tail: list[Turn] = []
    for place in range(len(rest) - 1, -1, -1):
        turn = rest[place]
        cost = len(template.render([system, turn], reply_header=False)) - opening
        if cost <= room:
            tail.insert(0, turn)
            room -= cost
            continue
        ids = template.encode(turn.text)
        keep = room - (cost - len(ids)) - _MERGES
        if keep <= 0 and tail:
            return list(rest[: place + 1]), tail
        keep = max(1, keep)
        before = Turn(turn.role, template.decode(ids[:-keep]))
        tail.insert(0, Turn(turn.role, template.decode(ids[-keep:])))
        return [*rest[:place], before], tail
    return [], tail


def _end_of(turn: Turn, room: int, template: ChatTemplate) -> Turn:
    """A turn whose rendered length is at most `room`: its beginning is cut off."""
    excess = len(template.render([turn], reply_header=False)) - room
    if excess <= 0:
        return turn
    ids = template.encode(turn.text)
    keep = max(1, len(ids) - excess - _MERGES)
    return Turn(turn.role, template.decode(ids[-keep:]))
