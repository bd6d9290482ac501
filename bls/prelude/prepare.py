# SPDX-License-Identifier: Apache-2.0
"""From a raw conversation to a safe, compressed prompt and the ads that take part.

    scrub -> guard the user's text | condense the head -> encode -> select -> guard the ads -> rows

Guard and summaries are asked side by side. What fails degrades: no summary leaves the tail, no
guard, no context or no selection leaves the reference alone. Only what the caller got wrong is an
error. Source: content_generation 2.1, max_reward_optimizer 2.1, corrections (content generation) 3.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bls.bidding import Seat, chosen_seats, requested_seats
from bls.brain.context.text import context_text
from bls.campaigns import Campaigns
from bls.condense.condensed import Condensed
from bls.contracts import Use, Verdict
from bls.errors import SkynetError, invalid
from bls.guard.categories import forbidden
from bls.guard.ruling import UNJUDGED, Ruling
from bls.guard.scrub import scrub
from bls.limits import LIMITS
from bls.prelude.ads import AdRulings
from bls.prelude.prelude import Prelude
from bls.prelude.stages import Context, Stages
from bls.prelude.stats import PreludeStats
from bls.prelude.timed import Running, Timed
from bls.prompt.rows import PromptBuilder
from bls.prompt.split import Split
from bls.request import Message, ReplyRequest
from bls.select.answer import SelectAnswer, SelectRequest

T = TypeVar("T")

ALL_ADS = "*"


@dataclass
class Preparer:
    """One per process; `prepare` from any thread."""

    stages: Stages
    prompts: PromptBuilder
    campaigns: Campaigns
    stats: PreludeStats = field(default_factory=PreludeStats)
    timed: Timed = field(default_factory=Timed)
    ads: AdRulings = field(default_factory=AdRulings)

    def prepare(self, request: ReplyRequest, salt: int) -> Prelude:
        """Everything up to the prompt. `salt` isolates caches.

        Raises `prompt_too_long`, `unknown_campaign`, `remote_bidder`, `ad_prompt_too_long`,
        `template_injection`, `ad_refused`.
        """
        return _Preparation(self, request, salt).run()


class _Preparation:
    """One reply's way through the stages."""

    def __init__(self, own: Preparer, request: ReplyRequest, salt: int) -> None:
        self._own, self._request, self._salt = own, request, salt
        self._began = time.monotonic()
        self._seconds: dict[str, float] = {}
        self._left_out: list[tuple[str, str]] = []
        self._scrubbed: Counter[str] = Counter()
        self._no_ads = ""

    def run(self) -> Prelude:
        own, asked = self._own, self._request.auction.bidders
        chat = own.prompts.split(self._request.messages)  # refuses what is too long to look at
        messages = self._clean(self._request.messages)
        if self._scrubbed:
            chat = own.prompts.split(messages)
        wanted = None if asked is None else requested_seats(asked, own.campaigns)
        own.prompts.check(wanted or ())
        said = [message.content for message in messages if message.role == "user"]
        guard = self._begin(lambda: self._guard(said), LIMITS.guard_timeout_s)
        short = self._begin_condense(chat)
        excluded = self._excluded(guard)
        context, choice, seats = self._market(messages, wanted, excluded)
        condensed = self._ended("condense", short) if short else None
        summaries = condensed.summaries if condensed else ()
        prompt = own.prompts.build(chat, seats, summaries)
        self._seconds["total"] = time.monotonic() - self._began
        self._count(prompt.summaries)
        return Prelude(
            began=self._began,
            messages=messages,
            seats=seats,
            prompt=prompt,
            context=context,
            choice=choice,
            no_ads=self._no_ads,
            left_out=tuple(self._left_out),
            windows=condensed.windows if condensed else 0,
            scrubbed=dict(self._scrubbed),
            seconds=self._seconds,
        )

    def _clean(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The chat without the reader's personal data: that of user turns."""
        clean = tuple(self._scrub(m) if m.role == "user" else m for m in messages)
        self._seconds["scrub"] = time.monotonic() - self._began
        return clean

    def _scrub(self, message: Message) -> Message:
        found = scrub(message.content)
        self._scrubbed.update(found.found)
        return message.model_copy(update={"content": found.text})

    def _guard(self, said: Sequence[str]) -> list[Ruling]:
        """Every message of the reader: what is old is still in the prompt, or in a summary."""
        most, stages = LIMITS.guard_texts, self._own.stages
        batches = (said[at : at + most] for at in range(0, len(said), most))
        return [ruling for some in batches for ruling in stages.guard(some, Use.USER)]

    def _begin_condense(self, chat: Split) -> Running[Condensed] | None:
        if chat.whole:
            return None
        stages, salt = self._own.stages, self._salt
        return self._begin(lambda: stages.condense(chat.head, salt), LIMITS.condense_timeout_s)

    def _excluded(self, guard: Running[list[Ruling]] | None) -> frozenset[str]:
        """Categories that may not appear here; sets `no_ads` where that is all of them."""
        rulings = self._ended("guard", guard) if guard else None
        if rulings is None:
            self._no_ads = UNJUDGED
            return frozenset({ALL_ADS})
        excluded: set[str] = set()
        for ruling in rulings:
            if ruling.ok:
                continue
            found = forbidden(ruling.reason) if ruling.verdict is Verdict.NO_AD else {ALL_ADS}
            excluded |= found
            if ALL_ADS in found:
                self._no_ads = self._no_ads or ruling.reason
        return frozenset(excluded)

    def _market(
        self, messages: tuple[Message, ...], wanted: tuple[Seat, ...] | None, out: frozenset[str]
    ) -> tuple[Context | None, SelectAnswer | None, tuple[Seat, ...]]:
        """Who takes part, in which context."""
        if self._no_ads:
            self._left_out += [(seat.advertiser, self._no_ads) for seat in wanted or ()]
            return None, None, ()
        if wanted is not None:
            seats = self._judged(self._fitting(wanted, out), refuse=True)
            context = self._context(messages) if any(s.controlled for s in seats) else None
            return context, None, seats
        context = self._context(messages)
        choice = self._select(context, messages, out) if context is not None else None
        seats = chosen_seats(choice.chosen if choice else (), messages, self._own.campaigns)
        seats = self._judged(self._fitting(seats, out), refuse=False)
        if context is not None and (shown := tuple(s.msg_id for s in seats if s.msg_id)):
            told, stages = self._question(out, shown), self._own.stages
            self._begin(lambda: stages.select(told, context), LIMITS.select_timeout_s)
        return context, choice, seats

    def _fitting(self, seats: tuple[Seat, ...], out: frozenset[str]) -> tuple[Seat, ...]:
        """Seats whose ad the prompt takes, and whose campaign may appear here; the others are left
        out. What was selected is not among `out` already."""
        fitting = []
        for seat in seats:
            campaign = self._own.campaigns.named(seat.advertiser)
            try:
                if not seat.msg_id and campaign is not None and campaign.category in out:
                    raise SkynetError("category", "Not beside this text.", 403)
                self._own.prompts.check([seat])
                fitting.append(seat)
            except SkynetError as fault:
                self._left_out.append((seat.advertiser, fault.code))
        return tuple(fitting)

    def _judged(self, seats: tuple[Seat, ...], refuse: bool) -> tuple[Seat, ...]:
        """Seats whose ad the guard clears. `refuse`: a blocked one is the caller's error.

        Raises `ad_refused`.
        """
        texts = [seat.ad_prompt for seat in seats if seat.remote is None]
        if not texts:
            return seats
        stages = self._own.stages
        running = self._begin(
            lambda: self._own.ads.of(texts, lambda some: stages.guard(some, Use.AD)),
            LIMITS.guard_timeout_s,
        )
        rulings = self._ended("guard_ads", running) if running else None
        judged = iter(rulings or [Ruling(Verdict.BLOCKED, UNJUDGED)] * len(texts))
        cleared = []
        for seat in seats:
            ruling = Ruling() if seat.remote is not None else next(judged)
            if ruling.ok:
                cleared.append(seat)
            elif refuse and ruling.reason != UNJUDGED:
                raise invalid(
                    "ad_refused",
                    f"The ad prompt of {seat.advertiser!r} may not be shown: {ruling.reason}.",
                    "skynet.bidders",
                )
            else:
                self._left_out.append((seat.advertiser, ruling.reason))
        return tuple(cleared)

    def _context(self, messages: tuple[Message, ...], axes: int = 0) -> Context | None:
        text, stages = context_text(messages), self._own.stages
        running = self._begin(lambda: stages.encode(text, axes), LIMITS.select_timeout_s)
        return self._ended("encode", running) if running else None

    def _select(
        self, context: Context, messages: tuple[Message, ...], out: frozenset[str]
    ) -> SelectAnswer | None:
        """Creatives for the context; encoded once more where the index has other axes."""
        asked, stages = self._question(out), self._own.stages

        def ask() -> SelectAnswer:
            try:
                return stages.select(asked, context)
            except SkynetError as fault:
                if fault.code != "axes_mismatch" or not (fault.param or "").isdecimal():
                    raise
                text = context_text(messages)
                return stages.select(asked, stages.encode(text, int(fault.param or 0)))

        running = self._begin(ask, LIMITS.select_timeout_s)
        return self._ended("select", running) if running else None

    def _question(self, out: frozenset[str], shown: tuple[str, ...] | None = None) -> SelectRequest:
        """`shown` confirms: these creatives got a row."""
        conv_id, request_id = self._request.conv_id, self._request.request_id
        ctx_id = hashlib.blake2b(f"{conv_id} {request_id}".encode(), digest_size=16).hexdigest()
        return SelectRequest(
            ctx_id=ctx_id,
            conv_id=conv_id,
            request_id=request_id,
            excluded=tuple(sorted(out)),
            shown=shown,
        )

    def _begin(self, call: Callable[[], T], seconds: float) -> Running[T] | None:
        left = self._began + self._request.deadline_ms / 1e3 - time.monotonic()
        try:
            return self._own.timed.begin(call, min(seconds, left))
        except SkynetError as fault:
            self._failed("begin", fault)
            return None

    def _ended(self, stage: str, running: Running[T]) -> T | None:
        """What a stage answered; None when it did not, which is counted."""
        try:
            return running.result()
        except SkynetError as fault:
            self._failed(stage, fault)
            return None
        finally:
            self._seconds[stage] = running.seconds

    def _failed(self, stage: str, fault: SkynetError) -> None:
        stats = self._own.stats
        with stats.lock:
            stats.failures[("stage", stage), ("code", fault.code)] += 1

    def _count(self, summaries: int) -> None:
        stats = self._own.stats
        with stats.lock:
            stats.preludes += 1
            stats.summaries += summaries
            for stage, seconds in self._seconds.items():
                stats.seconds[(("stage", stage),)] += seconds  # type: ignore[assignment]
            for kind, pieces in self._scrubbed.items():
                stats.scrubbed[(("kind", kind),)] += pieces
            for _, reason in self._left_out:
                stats.left_out[(("reason", reason),)] += 1
            if self._no_ads:
                stats.no_ads[(("reason", self._no_ads),)] += 1
