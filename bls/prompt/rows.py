# SPDX-License-Identifier: Apache-2.0
"""The prompt rows of one reply: [SYS] [SUM] [TAIL] shared by all, then [AD_PROMPT] of each one.

Seed: content_generation 2.3.2. Row 0 (the reference) has no ad prompt; the row of a remote bidder
only says which one it is. Every slot is filled with plain text that cannot close it
(`bls.prompt.template`), and the summaries stand in the system turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bls.bidding import Seat
from bls.contracts import REMOTE
from bls.errors import invalid
from bls.limits import LIMITS, Limits
from bls.prompt.split import Split, split
from bls.prompt.template import ChatTemplate, Turn
from bls.request import Message

SYSTEM = "You are a helpful assistant."
_SUMMARY = "\n\nEarlier in this conversation:"


@dataclass(frozen=True)
class PromptRows:
    """Token ids of every row, row 0 first.

    Attributes:
        prompt_tokens: length of the whole chat before anything was left out.
        truncated: whether the head of the chat was left out, or only summarised, to fit the prefix.
        summaries: how many of its windows stand in the prompt as a summary.
    """

    rows: tuple[tuple[int, ...], ...]
    prompt_tokens: int
    truncated: bool
    summaries: int


class PromptBuilder:
    """Builds rows with one model's template. `special` are texts an ad prompt may not contain."""

    def __init__(
        self, template: ChatTemplate, special: tuple[str, ...], limits: Limits = LIMITS
    ) -> None:
        self._template = template
        self._special = special
        self._limits = limits

    def split(self, messages: Sequence[Message]) -> Split:
        """The chat as head and tail; the head is empty where all of it fits.

        Raises `prompt_too_long`.
        """
        turns = [Turn(message.role, message.content) for message in messages]
        if turns[0].role != "system":
            turns.insert(0, Turn("system", SYSTEM))
        return split(turns, self._template, self._limits)

    def check(self, seats: Sequence[Seat]) -> None:
        """Raises `ad_prompt_too_long` or `template_injection`."""
        for seat in seats:
            if seat.remote is None:
                self._check_ad(seat)

    def build(
        self, chat: Split, seats: Sequence[Seat], summaries: Sequence[Sequence[int]] = ()
    ) -> PromptRows:
        """Rows for a chat; `seats` have the remote ones last and were checked.

        Args:
            summaries: of the head, in its order; the last ones are left out where they do not fit.
        """
        told = [text for ids in summaries if (text := self._template.decode(ids).strip())]
        kept, told = self._fit(chat, told)
        reference = self._template.render(kept, reply_header=True)
        local = (seat for seat in seats if seat.remote is None)
        ads = (self._template.render([*kept, _ad_turn(s)], reply_header=True) for s in local)
        remote = ((REMOTE - seat.remote,) for seat in seats if seat.remote is not None)
        rows = (tuple(reference), *(tuple(ad) for ad in ads), *remote)
        return PromptRows(rows, chat.tokens, not chat.whole, len(told))

    def _fit(self, chat: Split, told: list[str]) -> tuple[list[Turn], list[str]]:
        """Turns with as many of the summaries as fit."""
        while True:
            tail = chat.tail if told else chat.alone
            turns = [_with_summaries(chat.system, told), *tail]
            fits = len(self._template.render(turns, True)) <= self._limits.prefix_tokens
            if fits or not told:
                return turns, told
            told = told[:-1]

    def _check_ad(self, seat: Seat) -> None:
        if any(text in seat.ad_prompt for text in self._special):
            raise invalid(
                "template_injection",
                f"The ad prompt of {seat.advertiser!r} contains a control token of the model.",
                "skynet.bidders",
            )
        if len(self._template.encode(seat.ad_prompt)) > self._limits.ad_prompt_tokens:
            raise invalid(
                "ad_prompt_too_long",
                f"The ad prompt of {seat.advertiser!r} exceeds "
                f"{self._limits.ad_prompt_tokens} tokens.",
                "skynet.bidders",
            )


def _with_summaries(system: Turn, told: Sequence[str]) -> Turn:
    lines = "".join(f"\n- {' '.join(text.split())}" for text in told)
    return Turn(system.role, f"{system.text}{_SUMMARY}{lines}") if told else system


def _ad_turn(seat: Seat) -> Turn:
    return Turn("system", seat.ad_prompt)
