# SPDX-License-Identifier: Apache-2.0
"""The prompt rows of one reply: [SYS] [TAIL] shared by all, then [AD_PROMPT] of each advertiser.

Seed: content_generation 2.3.2. Row 0 (the reference) has no ad prompt; the row of a remote bidder
only says which one it is. Until the summariser exists, a chat longer than the prefix keeps its
system message and its most recent tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from bls.bidding import Seat
from bls.contracts import REMOTE
from bls.errors import invalid
from bls.limits import LIMITS, Limits
from bls.prompt.template import ChatTemplate, Turn
from bls.request import Message

SYSTEM = "You are a helpful assistant."


@dataclass(frozen=True)
class PromptRows:
    """Token ids of every row, row 0 first.

    Attributes:
        prompt_tokens: length of the whole chat before anything was left out.
        truncated: whether the head of the chat was left out to fit the prefix.
    """

    rows: tuple[tuple[int, ...], ...]
    prompt_tokens: int
    truncated: bool


class PromptBuilder:
    """Builds rows with one model's template. `special` are texts an ad prompt may not contain."""

    def __init__(
        self, template: ChatTemplate, special: tuple[str, ...], limits: Limits = LIMITS
    ) -> None:
        self._template = template
        self._special = special
        self._limits = limits

    def build(self, messages: tuple[Message, ...], seats: tuple[Seat, ...]) -> PromptRows:
        """Rows for a chat; `seats` have the remote ones last.

        Raises `prompt_too_long`, `ad_prompt_too_long`, `template_injection`.
        """
        local = [seat for seat in seats if seat.remote is None]
        for seat in local:
            self._check_ad(seat)
        turns = [Turn(message.role, message.content) for message in messages]
        if turns[0].role != "system":
            turns.insert(0, Turn("system", SYSTEM))
        whole = self._template.render(turns, reply_header=True)
        if len(whole) > self._limits.prompt_tokens:
            raise invalid(
                "prompt_too_long",
                f"The chat has {len(whole)} tokens; at most {self._limits.prompt_tokens}.",
                "messages",
            )
        kept = self._fit(turns, len(whole))
        reference = self._template.render(kept, reply_header=True)
        ads = (self._template.render([*kept, _ad_turn(s)], reply_header=True) for s in local)
        remote = ((REMOTE - seat.remote,) for seat in seats if seat.remote is not None)
        rows = (tuple(reference), *(tuple(ad) for ad in ads), *remote)
        return PromptRows(rows, len(whole), kept != turns)

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

    def _fit(self, turns: list[Turn], tokens: int) -> list[Turn]:
        """Drop the oldest turns after the system one, then cut the head of what is left."""
        kept = list(turns)
        while tokens > self._limits.prefix_tokens and len(kept) > 2:
            del kept[1]
            tokens = len(self._template.render(kept, reply_header=True))
        for position in (1, 0):
            if tokens > self._limits.prefix_tokens and position < len(kept):
                kept[position] = self._cut(kept[position], tokens - self._limits.prefix_tokens)
                tokens = len(self._template.render(kept, reply_header=True))
        return kept

    def _cut(self, turn: Turn, excess: int) -> Turn:
        """A turn without its first `excess` tokens (a few more: cutting can change merges)."""
        ids = self._template.encode(turn.text)
        keep = max(1, len(ids) - excess - 4)
        return Turn(turn.role, self._template.decode(ids[-keep:]))


def _ad_turn(seat: Seat) -> Turn:
    return Turn("system", seat.ad_prompt)
