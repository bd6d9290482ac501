# SPDX-License-Identifier: Apache-2.0
"""The circle, step by step: a bad champion is replaced by a better challenger, a bad challenger is
stopped twice, at the gate and by the canary. Traffic goes on all the while.

    crown -> watch -> datasets -> train -> gate -> canary -> watch -> bad one: gate, canary
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from bls.errors import SkynetError
from pipelines_dagster.loop.budget import Budget
from pipelines_dagster.loop.live import LiveMetric, Observed
from pipelines_dagster.loop.steps import Steps, Verdict, Version
from pipelines_dagster.loop.variants import Flaw

T = TypeVar("T")
Show = Callable[[str, str], None]
"""Told of every step as it begins or ends: its name, and what happens."""

WEAK = Flaw(bias=0.35, spread=1.6)
"""Of the champion that the rehearsal begins with."""
BAD = Flaw(bias=-0.6)
"""Of the challenger that must be stopped."""
_LEAST = 300
"""Decided rows that a live figure is made of, where time allows."""


@dataclass(frozen=True)
class Promise:
    """One thing that must hold, and what was seen."""

    what: str
    kept: bool
    seen: str


@dataclass
class Findings:
    """What the rehearsal found, as far as it came."""

    before: LiveMetric | None = None
    after: LiveMetric | None = None
    observed: Observed = field(default_factory=Observed)
    names: dict[str, str] = field(default_factory=dict)
    promises: list[Promise] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return bool(self.promises) and all(promise.kept for promise in self.promises)


class Circle:
    """One rehearsal.

    Args:
        clock, sleep: seconds; a test's own.
        failures: requests of the traffic that failed so far.
    """

    def __init__(
        self,
        steps: Steps,
        budget: Budget,
        show: Show,
        *,
        failures: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        every_s: float = 5.0,
    ) -> None:
        self._steps, self._budget, self._show = steps, budget, show
        self._failures, self._clock, self._sleep = failures, clock, sleep
        self._every_s = every_s
        self.found = Findings()

    def run(self) -> Findings:
        """All steps. A step that cannot be done at all is a promise broken, and ends it."""
        try:
            self._better(self._crowned())
            self._worse()
        except SkynetError as fault:
            self._promise("every step can be done", False, f"{fault.message} ({fault.code})")
        self._promise(
            "no request failed", self._failures() == 0, f"{self._failures()} failed requests"
        )
        self.found.observed = self._steps.observe()
        return self.found

    def _crowned(self) -> Version:
        self._show("champion", f"bias {WEAK.bias:+}, spread x {WEAK.spread}")
        return self._named("weak champion", self._steps.crown(WEAK))

    def _better(self, weak: Version) -> None:
        """A better challenger is trained, passes, and takes over."""
        budget, steps = self._budget, self._steps
        self.found.before = self._watch("before", weak, budget.seconds(budget.before))
        self._show("datasets", steps.build())
        self._show("train", "the quick config; traffic goes on beside it")
        challenger = self._named("challenger", self._timed("train", budget.train, steps.train))
        gate = self._gate(challenger)
        self._promise("the gate lets the better one pass", gate.passed, gate.why)
        if not gate.passed:
            return
        canary = self._promoted(challenger)
        live = self._key() == challenger.sha256
        self._promise("the canary promotes it", canary.passed and live, canary.why)
        if live:
            seconds = budget.seconds(budget.after)
            self.found.after = self._watch("after", challenger, seconds)
            self._improved()

    def _improved(self) -> None:
        before, after = self.found.before, self.found.after
        if before is None or after is None:
            self._promise("the live error falls by 2 %", False, "too little was decided")
            return
        better = after.rmse < 0.98 * before.rmse
        seen = f"RMSE {before.rmse:.3f} to {after.rmse:.3f}, KS {before.ks:.3f} to {after.ks:.3f}"
        self._promise("the live error falls by 2 %", better, seen)

    def _worse(self) -> None:
        """A bad challenger stops at the gate; forced past it, at the canary."""
        champion, told = self._key(), len(self._steps.told())
        self._show("bad challenger", f"bias {BAD.bias:+}")
        bad = self._named("bad challenger", self._steps.offer(BAD))
        gate = self._gate(bad)
        kept = not gate.passed and self._key() == champion
        self._promise("the gate refuses a bad one, the key untouched", kept, gate.why)
        canary = self._promoted(bad, forced=True)
        kept = not canary.passed and self._key() == champion
        self._promise("the canary stops it, the key untouched", kept, canary.why)
        events = [str(line.get("kind")) for line in self._steps.told()[told:]]
        self._promise("the notifier is told", bool(events), ", ".join(events) or "nothing")

    def _gate(self, challenger: Version) -> Verdict:
        self._show("gate", challenger.name)
        verdict = self._steps.validate(challenger)
        self._show("gate", ("passed: " if verdict.passed else "refused: ") + verdict.why)
        return verdict

    def _promoted(self, challenger: Version, forced: bool = False) -> Verdict:
        how = "forced past the gate, " if forced else ""
        self._show("canary", f"{how}{challenger.name} serves a share of the conversations")
        with self._ingesting():
            verdict = self._timed(
                "canary",
                self._budget.canary,
                lambda: self._steps.promote(challenger, forced=forced),
            )
        self._show("canary", ("promoted: " if verdict.passed else "stopped: ") + verdict.why)
        return verdict

    def _watch(self, step: str, version: Version, seconds: float) -> LiveMetric | None:
        """Live figures of a version once it has decided enough, or the time is over."""
        self._show(step, f"traffic, up to {seconds:.0f} s")
        deadline = self._clock() + seconds
        while True:
            self._sleep(min(self._every_s, max(0.0, deadline - self._clock())))
            rows = self._steps.ingest()
            metric = self._steps.observe().versions.get(version.short)
            over = self._clock() >= deadline
            if over or (metric is not None and metric.rows >= 4 * _LEAST):
                break
        seen = "nothing decided" if metric is None else f"RMSE {metric.rmse:.3f}"
        self._show(step, f"{rows} rows in bronze, {version.name}: {seen}")
        return metric

    @contextmanager
    def _ingesting(self) -> Iterator[None]:
        """Bronze is kept fresh from another thread: a canary is judged by what is in the lake."""
        over, faults = threading.Event(), list[SkynetError]()

        def run() -> None:
            try:
                while not over.wait(self._every_s):
                    self._steps.feed()
            except SkynetError as fault:  # told to whoever waits for the canary
                faults.append(fault)

        thread = threading.Thread(target=run, name="loop-ingest", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if faults:
            raise faults[0]

    def _timed(self, step: str, share: float, work: Callable[[], T]) -> T:
        """What `work` gives; how long it took beside what was meant for it is shown."""
        began = self._clock()
        made = work()
        took, meant = self._clock() - began, self._budget.seconds(share)
        self._show(step, f"took {took:.0f} s, {meant:.0f} s were meant for it")
        return made

    def _key(self) -> str:
        champion = self._steps.champion()
        return "" if champion is None else champion.sha256

    def _named(self, name: str, version: Version) -> Version:
        self.found.names[version.short] = name
        return version

    def _promise(self, what: str, kept: bool, seen: str) -> None:
        self.found.promises.append(Promise(what, kept, seen))
        self._show("kept" if kept else "BROKEN", f"{what}: {seen}")
