# SPDX-License-Identifier: Apache-2.0
"""`promote`: a version that has passed its gate meets some readers, then all or none of them.

The steps and what a crash at each leaves are in docs/promotion.md. Whatever goes wrong, the model
key is untouched until `promoting` is in the ledger, and a canary never outlives its promotion.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bls.errors import SkynetError
from bls.models.model_key import PREDICTOR, PRICE, model_key
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.arms import Decision, Observation, Rules, decide
from pipelines_dagster.defs.promotion.desk import CANARY, PROMOTION, VALIDATOR, Desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.live import Observe, observer
from pipelines_dagster.defs.promotion.lock import locked
from pipelines_dagster.defs.promotion.recover import end, finish, resume_locked, serve
from pipelines_dagster.notify.series import gauge
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.settings import PipelineSettings

Tick = Callable[[], object]

NO_GATE, GATE_FAILED = "no_gate", "gate_failed"
_GATES = frozenset({NO_GATE, GATE_FAILED})


TOLERANCES = {PRICE: 0.1}
"""Sessions that buy are few and differ much: 2 % of their earnings would take years to see."""


def _nothing() -> None:
    """Between two looks."""


@dataclass(frozen=True)
class Plan:
    """Of a canary.

    Attributes:
        share: of conversations.
        watch_s: at most; the canary is decided at the latest then.
        poll_s: between two looks at the lake.
        tick: called before each look; a process without a feeder ingests here.
    """

    share: float = 0.05
    watch_s: float = 21_600.0
    poll_s: float = 15.0
    rules: Rules = field(default_factory=Rules)
    tick: Tick = _nothing

    @classmethod
    def of(cls, settings: PipelineSettings, subsystem: str = PREDICTOR) -> Plan:
        tolerance = TOLERANCES.get(subsystem, Rules.tolerance)
        rules = Rules(tolerance, rows=settings.canary_rows)
        return cls(settings.canary_share, settings.canary_s, rules=rules)


@dataclass(frozen=True)
class Outcome:
    """How a promotion ended: `event` of the ledger.

    Attributes:
        elapsed_ms: from the call to the key, the canary's own watching left out (C-03).
        observed: the last look; None without a canary.
    """

    event: str
    stored: Stored
    reason: str = ""
    key_version: int = 0
    elapsed_ms: float = 0.0
    observed: Observation | None = None

    @property
    def promoted(self) -> bool:
        return self.event == log.PROMOTED


def promote(
    desk: Desk,
    stored: Stored,
    champion: Stored | None,
    plan: Plan,
    observe: Observe | None = None,
    *,
    rehearsal: bool = False,
) -> Outcome:
    """Promote `stored`, or roll it back.

    Args:
        champion: what is live; None makes the version the first one, without a canary.
        observe: looks at both arms; by default at the lake's events since the canary began.
        rehearsal: a canary for a version whatever its gate said, to see it stopped. It is never
            promoted without a passed gate: a good canary ends as `rolled_back`, too.

    Raises:
        SkynetError: `promotion_running`, or the fault that ended it; then the canary is off, the
            model key as it was, and `rolled_back` in the ledger.
    """
    with locked(desk.locks, stored.subsystem):
        resume_locked(desk, stored.subsystem)
        began = time.monotonic()
        refusal = _refusal(desk, stored, champion)
        rehearsal = rehearsal and refusal in _GATES and champion is not None
        if refusal and not rehearsal:
            return _refused(desk, stored, refusal)
        previous = "" if champion is None else json.dumps(champion.key().value())
        name = f"{stored.version}_{time.time_ns()}"
        event = Event(name, log.STARTED, stored, previous)
        desk.ledger.append(event)
        watched, seen = 0.0, None
        try:
            desk.artefacts.fetch(stored)
            if champion is not None:
                begin = time.monotonic()
                seen, decision = _canary(desk, event, champion, plan, observe)
                watched = time.monotonic() - begin
                if decision is not Decision.PROMOTE or rehearsal:
                    why = refusal if decision is Decision.PROMOTE else decision.value
                    end(desk, event, why, seen.as_dict())
                    return Outcome(log.ROLLED_BACK, stored, why, observed=seen)
            return _finished(desk, event, began + watched, seen)
        except BaseException as fault:
            _aborted(desk, event, fault)
            raise


def _refusal(desk: Desk, stored: Stored, champion: Stored | None) -> str:
    """Why a version may not even begin; empty when it may."""
    gate = desk.ledger.gate_of(stored)
    if gate is None:
        return NO_GATE
    if gate.reason:
        return GATE_FAILED
    return "already_live" if champion is not None and champion.sha256 == stored.sha256 else ""


def _refused(desk: Desk, stored: Stored, why: str) -> Outcome:
    desk.ledger.append(Event(stored.version, log.REFUSED, stored, reason=why))
    desk.streams.write(PROMOTION, model_name=stored.subsystem, version=stored.version, refused=why)
    text = f"{stored.version} was not promoted: {why}."
    desk.notifier.tell("refused", text, version=stored.version, reason=why)
    return Outcome(log.REFUSED, stored, why)


def _canary(
    desk: Desk, event: Event, champion: Stored, plan: Plan, observe: Observe | None
) -> tuple[Observation, Decision]:
    """Serve a share, look until something is decided, stop serving it."""
    stored = event.stored
    desk.ledger.append(replace(event, event=log.CANARY_ON, details={"share": plan.share}))
    since = time.time()
    desk.mark("challenger", stored)
    serve(desk, stored, plan.share)
    look = observe or observer(
        stored.subsystem, desk.lake, since, (champion.served, stored.served), plan.share
    )
    deadline = time.monotonic() + plan.watch_s
    while True:
        plan.tick()
        over = time.monotonic() >= deadline
        seen = look()
        decision = decide(seen, plan.rules, over)
        desk.streams.write(
            CANARY,
            model_name=stored.subsystem,
            version=stored.version,
            share=plan.share,
            decision=decision.value,
            **seen.as_dict(),
        )
        if decision is not Decision.WAIT:
            break
        time.sleep(min(plan.poll_s, max(0.0, deadline - time.monotonic())))
    details = seen.as_dict()
    desk.ledger.append(replace(event, event=log.OBSERVED, reason=decision.value, details=details))
    return seen, decision


def _finished(desk: Desk, event: Event, began: float, seen: Observation | None) -> Outcome:
    """Write the key and everything after it. `began`: on the clock that leaves watching out."""
    desk.ledger.append(replace(event, event=log.PROMOTING))
    entry = desk.keys.put(model_key(event.stored.subsystem), event.stored.key().value())
    elapsed = 1e3 * (time.monotonic() - began)
    gauge(desk.metrics, "orch_promotion_ms", elapsed, "From a passed gate to the key, last time")
    details = {} if seen is None else seen.as_dict()
    finish(desk, replace(event, elapsed_ms=elapsed, details=details), entry.version)
    return Outcome(log.PROMOTED, event.stored, "", entry.version, elapsed, seen)


def _aborted(desk: Desk, event: Event, fault: BaseException) -> None:
    """Leave nothing half-done; what the fault was is told by its code alone."""
    code = fault.code if isinstance(fault, SkynetError) else type(fault).__name__
    live = desk.keys.model(event.stored.subsystem)
    if live is not None and live.sha256 == event.stored.sha256:
        desk.streams.write(VALIDATOR, version=event.stored.version, unfinished=code)
        return  # the key is written: `resume` finishes what comes after it
    end(desk, event, code, {})
