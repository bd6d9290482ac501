# SPDX-License-Identifier: Apache-2.0
"""How promotions end, also those whose process died: `resume`, and `rollback` to what was live."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bls.errors import SkynetError
from bls.models.model_key import ModelKey, canary_key, model_key
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.desk import CANARY, PROMOTION, VALIDATOR, Desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.lock import WAIT_S, locked
from pipelines_dagster.registry.names import Stored


def serve(desk: Desk, stored: Stored, share: float) -> None:
    """Let a version serve a share of conversations as a canary; 0 ends it."""
    subsystem = stored.subsystem
    desk.keys.put(canary_key(subsystem), stored.key(share).value())


def end(desk: Desk, event: Event, reason: str, details: Mapping[str, Any]) -> None:
    """Roll back: nobody is served by the version any more, the model key stays as it is."""
    stored = event.stored
    if desk.keys.canary(stored.subsystem) is not None:
        serve(desk, stored, 0.0)
    desk.mark("unmark", stored)
    desk.ledger.append(replace(event, event=log.ROLLED_BACK, reason=reason, details=details))
    told = {"model_name": stored.subsystem, "version": stored.version, "reason": reason}
    desk.streams.write(CANARY, event=log.ROLLED_BACK, **told)
    desk.streams.write(PROMOTION, event=log.ROLLED_BACK, **told)
    text = f"{stored.version} was rolled back: {reason}."
    desk.notifier.tell(log.ROLLED_BACK, text, **told, **details)


def finish(desk: Desk, event: Event, key_version: int) -> None:
    """What follows the written key: the canary ends, aliases move, ledger and people know."""
    stored = event.stored
    if desk.keys.canary(stored.subsystem) is not None:
        serve(desk, stored, 0.0)
    desk.mark("champion", stored)
    done = replace(event, event=log.PROMOTED, key_version=key_version)
    desk.ledger.append(done)
    told = {
        "model_name": stored.subsystem,
        "version": stored.version,
        "sha256": stored.sha256,
        "key_version": key_version,
        "elapsed_ms": round(event.elapsed_ms, 1),
    }
    desk.streams.write(CANARY, event=log.PROMOTED, **told)
    desk.streams.write(VALIDATOR, event=log.PROMOTED, **told)
    desk.streams.write(PROMOTION, event=log.PROMOTED, **told)
    text = f"{stored.version} is live."
    desk.notifier.tell(log.PROMOTED, text, **told, **event.details)


def resume(desk: Desk, subsystem: str, wait_s: float = WAIT_S) -> list[Event]:
    """End every promotion whose process died; its last event, as it was found.

    One whose key was written is finished, any other is rolled back, and so is a canary that no
    promotion knows. Raises `promotion_running` when one is alive.
    """
    with locked(desk.locks, subsystem, wait_s):
        return resume_locked(desk, subsystem)


def resume_locked(desk: Desk, subsystem: str) -> list[Event]:
    """`resume` for who holds the lock."""
    found = desk.ledger.open_promotions(subsystem)
    for event in found:
        live = desk.keys.get(model_key(subsystem))
        written = live is not None and ModelKey.of(live.value).sha256 == event.stored.sha256
        if event.event == log.PROMOTING and live is not None and written:
            finish(desk, replace(event, reason="finished after a crash"), live.version)
        else:
            end(desk, event, "crashed", {"step": event.event})
    left = desk.keys.canary(subsystem)
    if left is not None:
        stored = Stored(subsystem, left.version, left.uri, left.sha256)
        end(desk, Event(left.version, log.CANARY_ON, stored), "orphan", {})
    return found


def rollback(desk: Desk, subsystem: str, reason: str = "asked for") -> Stored:
    """Make live what was live before the last promotion; called again, before that.

    Raises:
        SkynetError: `no_previous`, `no_artefact` or `bad_artefact` (nothing is changed then),
            `promotion_running`.
    """
    with locked(desk.locks, subsystem):
        resume_locked(desk, subsystem)
        past = _past(desk, subsystem)
        if not past or not past[-1]:
            raise SkynetError("no_previous", "There is no earlier version to go back to.", 409)
        key = ModelKey.of(json.loads(past[-1]))
        stored = Stored(subsystem, key.version, key.uri, key.sha256)
        desk.artefacts.fetch(stored)
        live = desk.keys.model(subsystem)
        entry = desk.keys.put(model_key(subsystem), stored.key().value())
        desk.mark("champion", stored)
        before = "" if live is None else json.dumps(live.value())
        desk.ledger.append(
            Event(stored.version, log.RESTORED, stored, before, entry.version, reason)
        )
        told = {"model_name": subsystem, "version": stored.version, "key_version": entry.version}
        desk.streams.write(PROMOTION, event=log.RESTORED, reason=reason, **told)
        desk.notifier.tell(log.RESTORED, f"{stored.version} is live again: {reason}.", **told)
        return stored


def _past(desk: Desk, subsystem: str) -> list[str]:
    """Model keys that were replaced by promotions and not restored since, oldest first."""
    replaced: list[str] = []
    for event in desk.ledger.events(subsystem, log.LIVE):
        if event.event == log.PROMOTED:
            replaced.append(event.previous)
        elif replaced:
            replaced.pop()
    return replaced
