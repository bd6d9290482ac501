# SPDX-License-Identifier: Apache-2.0
"""The circle through Dagster: every step materialises assets by their key, as the schedules do.

Runs are made in this process on an instance in `<state>/dagster`, so the page of `skynet pipelines`
shows them. What a run did is read from where everybody reads it: the promotion ledger, the model
key, the gate's evaluation, the lake, the notices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from bls.errors import SkynetError
from bls.models.model_key import PREDICTOR
from export.bid_predictor.artefact import SHIPPED
from pipelines_dagster.defs.ingest.once import ingest_once
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.training import gold
from pipelines_dagster.defs.training.offer import offer
from pipelines_dagster.loop.keys import RehearsalKeys
from pipelines_dagster.loop.live import BIDS, Observed, observe
from pipelines_dagster.loop.steps import Verdict, Version
from pipelines_dagster.loop.variants import Flaw, degraded_predictor
from pipelines_dagster.notify.notifier import STREAM
from pipelines_dagster.registry.mlflow_registry import open_registry
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.settings import PipelineSettings

MODEL, LIVE = dg.AssetKey(["models", "predictor"]), dg.AssetKey(["live", "predictor"])
DATASET = dg.AssetKey(["gold", "predictor_dataset"])
GATE = dg.AssetCheckKey(MODEL, "gate")
_GATE_JOB = "loop_gate"
_CANARY = {"poll_s": 5.0, "conversations": 8}
"""A rehearsal's flaws are large: a few conversations of each arm show them."""
_HELD = 0.25
"""Share of the few conversations that are kept for the gate."""
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The runs' events are in the instance; the terminal has the circle's own lines."""


class DagsterSteps:
    """See `Steps`.

    Args:
        definitions: with the assets of all areas; its `pipelines` resource reads the environment.
    """

    def __init__(
        self,
        settings: PipelineSettings,
        definitions: dg.Definitions,
        instance: dg.DagsterInstance,
    ) -> None:
        gate = dg.define_asset_job(_GATE_JOB, selection=dg.AssetSelection.checks(GATE))
        self._definitions = dg.Definitions.merge(definitions, dg.Definitions(jobs=[gate]))
        self._settings, self._instance = settings, instance
        self._desk: Desk = open_desk(settings)
        self.keys = RehearsalKeys(settings.serving)
        self._before = champion(PREDICTOR, self._desk.keys, self._desk.artefacts, settings)
        self._gate: dict[str, Verdict] = {}

    def restore(self) -> None:
        """The champion there was before, the shipped version where no key named one."""
        if self._before is not None:
            self.keys.restore(self._before.key())

    def crown(self, flaw: Flaw) -> Version:
        stored = self._flawed("weak", flaw)
        self.keys.crown(stored.key())
        return Version(stored.version, stored.sha256)

    def champion(self) -> Version | None:
        key = self.keys.champion()
        return None if key is None else Version(key.version, key.sha256)

    def ingest(self) -> int:
        self._done(self._run(self._resolved(dg.AssetSelection.key_prefixes("bronze"))))
        table = self._desk.lake.open(BIDS)
        return 0 if table is None else int(table.count())

    def feed(self) -> None:
        ingest_once(self._settings)  # a run of its own would take the terminal from the other

    def build(self) -> str:
        wanted = dg.AssetSelection.assets(DATASET).upstream()
        keys = [key for key in self._resolved(wanted) if key.path[0] != "bronze"]
        configs = {DATASET: {"held": _HELD}} if DATASET in keys else {}
        return _words(self._done(self._run(keys, configs)), DATASET) or "built"

    def train(self) -> Version:
        before = self._desk.ledger.candidate(PREDICTOR)
        result = self._run([MODEL])
        made = self._desk.ledger.candidate(PREDICTOR)
        if made is None or made == before:
            raise _failed("The training left no new version.")
        self._gate[made.stored.sha256] = self._gate_of(result, made.stored)
        return Version(made.stored.version, made.stored.sha256)

    def offer(self, flaw: Flaw) -> Version:
        stored = self._flawed("bad", flaw)
        dataset = gold.newest(self._settings, DATASET.path[-1])
        folder = self._desk.artefacts.fetch(stored)
        records = open_registry(self._settings)
        offer(self._desk, PREDICTOR, stored.version, folder, dataset, records=records)
        return Version(stored.version, stored.sha256)

    def validate(self, challenger: Version) -> Verdict:
        if challenger.sha256 not in self._gate:
            job = self._definitions.resolve_job_def(_GATE_JOB)
            result = job.execute_in_process(
                run_config=_QUIET, instance=self._instance, raise_on_error=False
            )
            self._gate[challenger.sha256] = self._gate_of(result, self._candidate(challenger))
        return self._gate[challenger.sha256]

    def promote(self, challenger: Version, *, forced: bool = False) -> Verdict:
        stored = self._candidate(challenger)
        self._run([LIVE], {LIVE: {**_CANARY, "rehearsal": forced}})
        live = self.champion()
        passed = live is not None and live.sha256 == challenger.sha256
        return Verdict(passed, self._ended(stored))

    def observe(self) -> Observed:
        return observe(self._desk.lake)

    def told(self) -> Sequence[dict[str, Any]]:
        file = self._desk.streams.folder / STREAM
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        return [json.loads(line) for line in lines]

    def _flawed(self, kind: str, flaw: Flaw) -> Stored:
        taken = self._desk.artefacts.versions(PREDICTOR)
        name = f"{PREDICTOR}_{kind}_{len(taken):02d}"
        folder = self._settings.serving.models_folder / PREDICTOR / name
        sha256 = degraded_predictor(SHIPPED, folder, name, flaw)
        return Stored(PREDICTOR, name, folder.resolve().as_uri(), sha256)

    def _candidate(self, version: Version) -> Stored:
        """The ledger's newest trained version, which must be this one."""
        found = self._desk.ledger.candidate(PREDICTOR)
        if found is None or found.stored.sha256 != version.sha256:
            raise _failed("Another version is the candidate.")
        return found.stored

    def _gate_of(self, result: dg.ExecuteInProcessResult, stored: Stored) -> Verdict:
        """What the gate evaluated. Raises `step_failed` when the run never came to it."""
        for evaluation in result.get_asset_check_evaluations():
            if evaluation.asset_check_key == GATE:
                event = self._desk.ledger.gate_of(stored)
                return Verdict(evaluation.passed, _figures(event) or _listed(evaluation.metadata))
        raise _failed("The run never came to the gate.")

    def _ended(self, stored: Stored) -> str:
        """How the canary of a version ended, in words."""
        events = [e for e in self._desk.ledger.events(PREDICTOR) if e.stored == stored]
        seen = next((e.details for e in reversed(events) if e.event == log.OBSERVED), {})
        words = [f"{events[-1].event} {events[-1].reason}".strip()]
        for arm in ("champion", "challenger"):
            figures = seen.get(arm, {})
            if figures.get("rmse") is not None:
                words.append(
                    f"{arm} RMSE {figures['rmse']:.3f} of {figures['conversations']} conversations"
                )
        return ", ".join(words)

    def _resolved(self, selection: dg.AssetSelection) -> list[dg.AssetKey]:
        """Keys of a selection. Raises `no_asset` where no area defines one that it names."""
        try:
            return sorted(selection.resolve(self._definitions.resolve_asset_graph()))
        except (dg.DagsterInvalidSubsetError, dg.DagsterInvalidDefinitionError):
            raise _no_asset() from None

    def _run(
        self,
        keys: Sequence[dg.AssetKey],
        configs: Mapping[dg.AssetKey, Mapping[str, Any]] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run of these assets and their checks. Raises `no_asset`."""
        if not keys or set(keys) - set(self._resolved(dg.AssetSelection.all())):
            raise _no_asset()
        ops = {
            key.to_python_identifier(): {"config": dict(config)}
            for key, config in (configs or {}).items()
        }
        job = self._definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            asset_selection=list(keys),
            run_config={**_QUIET, "ops": ops},
            instance=self._instance,
            raise_on_error=False,
        )

    def _done(self, result: dg.ExecuteInProcessResult) -> dg.ExecuteInProcessResult:
        if not result.success:
            steps = [event.step_key for event in result.all_events if event.is_step_failure]
            raise _failed(f"A run failed at {', '.join(map(str, steps)) or 'its start'}.")
        return result


def _figures(event: Event | None) -> str:
    """The checks of a verdict, each with what was seen and what was asked."""
    checks = [] if event is None else event.details.get("checks", [])
    return ", ".join(
        f"{'' if check['passed'] else 'not '}{check['name']} {check['value']:.4g}"
        for check in checks
        if isinstance(check.get("value"), float)
    )


def _words(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> str:
    """What the run says of an asset it made: its metadata in words."""
    for event in result.get_asset_materialization_events():
        if event.asset_key == key:
            return _listed(event.materialization.metadata)
    return ""


def _listed(metadata: Mapping[str, dg.MetadataValue[Any]]) -> str:
    short = {name: value.value for name, value in metadata.items()}
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in short.items()
        if isinstance(value, str | int | float) and len(str(value)) < 40
    )


def _failed(why: str) -> SkynetError:
    return SkynetError("step_failed", why, 500)


def _no_asset() -> SkynetError:
    return SkynetError("no_asset", "An asset of the circle is defined by no area.", 500)
