# SPDX-License-Identifier: Apache-2.0
"""What is known before the first token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bls.bidding import Seat
from bls.prelude.stages import Context
from bls.prompt.rows import PromptRows
from bls.request import Message
from bls.select.answer import SelectAnswer

_SHOWN = {"advertiser", "msg_id", "sim", "val", "score", "explored"}


@dataclass(frozen=True)
class Prelude:
    """One reply's.

    Attributes:
        began: when the reply was asked for, in `time.monotonic` seconds.
        messages: without personal data of the reader; what the models see.
        context: None where no ad needs it, or nobody could say.
        choice: what `select` answered; None when it was not asked or did not answer.
        no_ads: why this reply has none, a snake_case word; empty where it may.
        left_out: (advertiser, reason) of bidders that may not take part.
        windows: of 64 tokens that the chat's head was cut into.
        scrubbed: pieces of personal data taken out, by kind.
        seconds: each stage's, and `total`.
    """

    began: float
    messages: tuple[Message, ...]
    seats: tuple[Seat, ...]
    prompt: PromptRows
    context: Context | None = None
    choice: SelectAnswer | None = None
    no_ads: str = ""
    left_out: Sequence[tuple[str, str]] = ()
    windows: int = 0
    scrubbed: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def header(self) -> dict[str, object]:
        """What the START event says of it."""
        return {
            "prompt_tokens": self.prompt.prompt_tokens,
            "truncated": self.prompt.truncated,
            "prelude": self._told(),
        }

    def _told(self) -> dict[str, object]:
        """Windows, summaries, times; and, where there are any, what was chosen and refused."""
        told: dict[str, object] = {
            "windows": self.windows,
            "summaries": self.prompt.summaries,
            "ms": {name: round(1e3 * s, 3) for name, s in self.seconds.items()},
        }
        if self.scrubbed:
            told["scrubbed"] = dict(self.scrubbed)
        if self.no_ads:
            told["no_ads"] = self.no_ads
        if self.left_out:
            told["left_out"] = [{"advertiser": n, "reason": why} for n, why in self.left_out]
        if self.choice is not None and self.choice.chosen:
            told["selected"] = [one.model_dump(include=_SHOWN) for one in self.choice.chosen]
        return told
