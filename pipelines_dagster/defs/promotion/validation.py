# SPDX-License-Identifier: Apache-2.0
"""`validate`: the figures of a candidate and of the champion on the same held-out rows, the gate's
verdict on them, written to the ledger and told when it is no."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bls.errors import SkynetError
from bls.models.model_key import PREDICTOR, TVE
from export.errors import ExportError
from export.model_manifest import ModelManifest
from pipelines_dagster.defs.promotion import gates
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.gates import Verdict
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.training import bandit
from pipelines_dagster.defs.training.gold import held_of
from pipelines_dagster.defs.training.values import read_value
from pipelines_dagster.settings import PipelineSettings

OUTCOME, FAIL, ROBUST = "validate.outcome.log", "validate.fail.log", "robust.test.report"
ROWS = {"full": 200_000, "quick": 40_000}
HARNESS = {"full": (300, 10_000), "quick": (200, 8_000)}
"""Conversations and rows of each attack in the robustness harness."""
_TVE_ROWS = {"full": 16_384, "quick": 4_096}
_SEED = 11


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
    if stored.subsystem not in (PREDICTOR, TVE):
        return _by_itself(trained, folder)
    rows = held or held_of(Path(str(trained.details.get("dataset", ""))))
    live = champion(stored.subsystem, desk.keys, desk.artefacts, settings)
    before = None if live is None else desk.artefacts.fetch(live)
    judge = _predictor if stored.subsystem == PREDICTOR else _tve
    return judge(trained, folder, before, rows, settings, desk)


def _predictor(
    trained: Event,
    folder: Path,
    before: Path | None,
    held: Path,
    settings: PipelineSettings,
    desk: Desk,
) -> Verdict:
    from export.bid_predictor import draws, robustness  # noqa: PLC0415  (seconds to import)
    from export.bid_predictor.artefact import MODEL_FILE, verify  # noqa: PLC0415
    from export.bid_predictor.runtime import OnnxForecaster  # noqa: PLC0415
    from export.bid_predictor.scores import score  # noqa: PLC0415
    from export.bid_predictor.training import sample  # noqa: PLC0415
    from export.bid_predictor.windows import load_windows  # noqa: PLC0415

    windows = load_windows(held)
    windows = windows.take((windows.past.std(axis=1) > 0) | (windows.token_idx == 0))
    windows = sample(windows, ROWS[settings.training], _SEED)

    def figures(version: Path) -> Mapping[str, float]:
        verify(version)
        found = score(OnnxForecaster(version / MODEL_FILE)(windows), windows.label)
        return found.as_dict()

    champion_figures = None if before is None else figures(before)
    try:
        own = figures(folder)
        conversations, rows = HARNESS[settings.training]
        attacked = robustness.run(
            OnnxForecaster(folder / MODEL_FILE), draws.draw(_SEED, conversations, rows)
        )
    except (ExportError, RuntimeError, ValueError) as fault:
        return _unusable(trained, _code(fault))
    for row in attacked:
        desk.streams.write(ROBUST, version=trained.stored.version, **asdict(row))
    return gates.predictor(trained.stored.version, own, champion_figures, robustness.gate(attacked))


def _tve(
    trained: Event,
    folder: Path,
    before: Path | None,
    held: Path,
    settings: PipelineSettings,
    desk: Desk,
) -> Verdict:
    import numpy as np  # noqa: PLC0415

    from export.tve.data import load  # noqa: PLC0415  (seconds to import)
    from export.tve.publish import served  # noqa: PLC0415
    from export.tve.score import score  # noqa: PLC0415
    from export.tve.tokens import TOKENIZER, load_tokenizer  # noqa: PLC0415

    def figures(version: Path) -> Mapping[str, float]:
        samples = load(held, load_tokenizer(version / TOKENIZER))
        order = np.random.default_rng(_SEED).permutation(len(samples))
        samples = samples.take(order[: _TVE_ROWS[settings.training]])
        return asdict(score(served(version, samples), samples))

    champion_figures = None if before is None else figures(before)
    try:
        own = figures(folder)
    except (ExportError, RuntimeError, ValueError) as fault:
        return _unusable(trained, _code(fault))
    return gates.tve(trained.stored.version, own, champion_figures)


def _by_itself(trained: Event, folder: Path) -> Verdict:
    """Gates that need no champion: axes, lambda, tuner."""
    version, subsystem = trained.stored.version, trained.stored.subsystem
    metrics = ModelManifest.load(folder, verify=False).metrics
    if subsystem == "axes":
        return gates.axes(version, metrics)
    if subsystem == "lambda":
        weights = bandit.weights_of(read_value(folder))
        return gates.bandit(version, weights, len(bandit.BUCKETS))
    if subsystem == "tuner":
        return gates.tuner(version, metrics)
    return Verdict(subsystem, version, ())


def _unusable(trained: Event, code: str) -> Verdict:
    check = gates.Check("artefact", False, math.nan, 0.0, code)
    return Verdict(trained.stored.subsystem, trained.stored.version, (check,))


def _code(fault: Exception) -> str:
    code: Any = getattr(fault, "code", None)
    return code if isinstance(code, str) else "unusable"
