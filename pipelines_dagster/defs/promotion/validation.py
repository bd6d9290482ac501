# SPDX-License-Identifier: Apache-2.0
"""`validate`: the figures of a candidate and of the champion on the same held-out rows, the gate's
verdict on them, written to the ledger and told when it is no."""

from __future__ import annotations

import math
import time
from pathlib import Path

from bls.errors import SkynetError
from bls.models.model_key import AGENT, PREDICTOR, PRICE, TVE
from export.model_manifest import ModelManifest
from pipelines_dagster.defs.promotion import gates
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.figures import (
    attacks,
    failures,
    predictor_figures,
    tve_figures,
)
from pipelines_dagster.defs.promotion.figures_shop import (
    SHARES,
    agent_figures,
    base_figures,
    held_rows,
    price_figures,
)
from pipelines_dagster.defs.promotion.gates import Verdict
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.training import bandit
from pipelines_dagster.defs.training.gold import held_of
from pipelines_dagster.defs.training.values import read_value
from pipelines_dagster.settings import PipelineSettings

OUTCOME, FAIL, ROBUST = "validate.outcome.log", "validate.fail.log", "robust.test.report"


def validate(
    trained: Event, settings: PipelineSettings, desk: Desk, *, held: Path | None = None
) -> Verdict:
    """The gate on a `trained` event. A candidate that cannot even be loaded fails it.

    Args:
        held: a market dataset; by default `held/` of the candidate's own.

    Raises:
        SkynetError: `held_missing`, or what reading the champion raises: these are no verdicts.
    """
    began = time.monotonic()
    stored = trained.stored
    verdict = _verdict(trained, settings, desk, held)
    elapsed = 1e3 * (time.monotonic() - began)
    told = {"job_id": stored.version, **verdict.as_dict(), "elapsed_ms": round(elapsed, 1)}
    desk.streams.write(OUTCOME, **told)
    reason = "" if verdict.passed else "; ".join(verdict.failures) or "no figures"
    desk.ledger.append(
        Event(
            stored.version,
            log.GATE,
            stored,
            reason=reason,
            elapsed_ms=elapsed,
            details=verdict.as_dict(),
        )
    )
    if not verdict.passed:
        desk.streams.write(FAIL, **told)
        text = f"{stored.version} did not pass its gate: {reason}."
        desk.notifier.tell("gate_failed", text, version=stored.version, failures=verdict.failures)
    return verdict


def _verdict(trained: Event, settings: PipelineSettings, desk: Desk, held: Path | None) -> Verdict:
    stored = trained.stored
    try:
        folder = desk.artefacts.fetch(stored)
    except SkynetError as fault:
        return _unusable(trained, fault.code)
    if stored.subsystem in (AGENT, PRICE):
        return _of_the_shop(trained, folder, settings, desk)
    if stored.subsystem not in (PREDICTOR, TVE):
        return _by_itself(trained, folder)
    rows = held or held_of(Path(str(trained.details.get("dataset", ""))))
    before = _before(stored.subsystem, settings, desk)
    measure = predictor_figures if stored.subsystem == PREDICTOR else tve_figures
    champions = None if before is None else measure(before, rows, settings.training)
    try:
        own = measure(folder, rows, settings.training)
        if stored.subsystem == TVE:
            return gates.tve(stored.version, own, champions)
        attacked = attacks(folder, settings.training)
    except Exception as fault:  # whatever its graph or its files raise: it cannot be served
        return _unusable(trained, str(getattr(fault, "code", "unusable")))
    for row in attacked:
        desk.streams.write(ROBUST, version=stored.version, **row)
    return gates.predictor(stored.version, own, champions, failures(attacked))


def _before(subsystem: str, settings: PipelineSettings, desk: Desk) -> Path | None:
    """The champion's folder."""
    live = champion(subsystem, desk.keys, desk.artefacts, settings)
    return None if live is None else desk.artefacts.fetch(live)


def _of_the_shop(trained: Event, folder: Path, settings: PipelineSettings, desk: Desk) -> Verdict:
    """`agent_score` on sessions that nothing was trained on; `session_price` in the market."""
    version, profile = trained.stored.version, settings.training
    before = _before(trained.stored.subsystem, settings, desk)
    if trained.stored.subsystem == AGENT:
        rows = held_rows(desk.lake, profile)
        champions = None if before is None else agent_figures(before, rows)
    else:
        bases = base_figures(before, profile)
    try:
        if trained.stored.subsystem == AGENT:
            return gates.agent(version, agent_figures(folder, rows), champions)
        return gates.price(version, price_figures(folder, bases, profile), SHARES)
    except Exception as fault:  # whatever its graph or its files raise: it cannot be served
        return _unusable(trained, str(getattr(fault, "code", "unusable")))


def _by_itself(trained: Event, folder: Path) -> Verdict:
    """Gates that need no champion: axes, guard, lambda, tuner."""
    version, subsystem = trained.stored.version, trained.stored.subsystem
    metrics = ModelManifest.load(folder, verify=False).metrics
    if subsystem == "axes":
        return gates.axes(version, metrics)
    if subsystem == "lambda":
        weights = bandit.weights_of(read_value(folder))
        return gates.bandit(version, weights, len(bandit.BUCKETS))
    if subsystem == "guard":
        return gates.guard(version, metrics)
    if subsystem == "tuner":
        return gates.tuner(version, metrics)
    return Verdict(subsystem, version, ())


def _unusable(trained: Event, code: str) -> Verdict:
    check = gates.Check("artefact", False, math.nan, 0.0, code)
    return Verdict(trained.stored.subsystem, trained.stored.version, (check,))
