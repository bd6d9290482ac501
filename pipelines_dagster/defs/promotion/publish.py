# SPDX-License-Identifier: Apache-2.0
"""Versions that are live at once, without a canary: parameters, lambda, axes, index.

`/mpc/params` moves money: without the operator's key it is not written. The axes are a pointer,
like a model's: P_K has 192 kB, three times what an entry may have.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bls.brain.params import KEY as PARAMS_KEY
from bls.brain.params import read_params
from bls.errors import SkynetError
from bls.select.index.key import KEY as INDEX_KEY
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.desk import PROMOTION, Desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.lock import locked
from pipelines_dagster.defs.training.values import read_value
from pipelines_dagster.registry.names import Stored

LAMBDA_KEY, AXES_KEY = "/mro/lambda", "/mro/axes/p_k"

Read = Callable[[Stored, Path], Mapping[str, Any]]


def _params(stored: Stored, folder: Path) -> Mapping[str, Any]:
    return read_params(read_value(folder)).model_dump()


def _lambda(stored: Stored, folder: Path) -> Mapping[str, Any]:
    return read_value(folder)


def _pointer(stored: Stored, folder: Path) -> Mapping[str, Any]:
    return stored.key().value()


@dataclass(frozen=True)
class Target:
    """Which key a subsystem's versions go to, and what is written there."""

    key: str
    read: Read
    signed: bool = False


TARGETS = {
    "tuner": Target(PARAMS_KEY, _params, signed=True),
    "lambda": Target(LAMBDA_KEY, _lambda),
    "axes": Target(AXES_KEY, _pointer),
    "index": Target(INDEX_KEY, _pointer),
}


def publish(desk: Desk, stored: Stored) -> Event:
    """Make a version's value live; the ledger's `promoted` event.

    Raises:
        SkynetError: `no_gate` or `gate_failed`, `no_signing_key`, what reading the version raises,
            `promotion_running`. Nothing is changed then.
    """
    target = TARGETS[stored.subsystem]
    with locked(desk.locks, stored.subsystem):
        began = time.monotonic()
        gate = desk.ledger.gate_of(stored)
        if gate is None or gate.reason:
            code = "no_gate" if gate is None else "gate_failed"
            raise SkynetError(code, f"{stored.version} has not passed its gate.", 409)
        if target.signed:
            desk.keys.signed_only(target.key)
        value = dict(target.read(stored, desk.artefacts.fetch(stored)))
        live = desk.keys.get(target.key)
        before = "" if live is None else json.dumps(live.value)
        desk.ledger.append(Event(stored.version, log.PROMOTING, stored, before))
        entry = desk.keys.put(target.key, value)
        elapsed = 1e3 * (time.monotonic() - began)
        done = Event(stored.version, log.PROMOTED, stored, before, entry.version, "", elapsed)
        desk.ledger.append(done)
        told = {
            "model_name": stored.subsystem,
            "version": stored.version,
            "key": target.key,
            "key_version": entry.version,
            "elapsed_ms": round(elapsed, 1),
        }
        desk.streams.write(PROMOTION, event=log.PROMOTED, **told)
        desk.notifier.tell(log.PROMOTED, f"{stored.version} is live at {target.key}.", **told)
        return done
