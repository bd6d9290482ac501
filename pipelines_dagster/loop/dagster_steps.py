# SPDX-License-Identifier: Apache-2.0
"""The circle through Dagster: every step materialises assets by their key, as the schedules do.

Runs are made in this process on an instance in `<state>/dagster`, so the page of `skynet pipelines`
shows them. What a run did is read from where everybody reads it: the model folder, the key, the
gate's evaluation, the lake, the notifications.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from bls.errors import SkynetError
from bls.models.model_key import PREDICTOR
from export.bid_predictor.artefact import SHIPPED
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.defs.operations.tell import STREAM
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.loop.keys import RehearsalKeys
from pipelines_dagster.loop.live import BIDS, Observed, observe
from pipelines_dagster.loop.steps import Verdict, Version
from pipelines_dagster.loop.variants import Flaw, degraded_predictor
from pipelines_dagster.settings import PipelineSettings

MODEL, LIVE = dg.AssetKey(["models", "predictor"]), dg.AssetKey(["live", "predictor"])
DATASET = dg.AssetKey(["gold", "predictor_dataset"])
GATE = dg.AssetCheckKey(MODEL, "gate")
_GATE_JOB = "loop_gate"

Register = Callable[[Path], None]
"""Makes the version in a folder the registry's challenger."""


@dataclass(frozen=True)
class Configs:
    """Config of an asset's op in a rehearsal, by what it is for; empty takes the asset's own."""

    train: Mapping[str, Any] = field(default_factory=dict)
    canary: Mapping[str, Any] = field(default_factory=dict)
    forced: Mapping[str, Any] = field(default_factory=dict)


class DagsterSteps:
    """See `Steps`.

    Args:
        definitions: with the assets of all areas; its `pipelines` resource reads the environment.
        register: told of a version that was made by hand.
    """

    def __init__(
        self,
        settings: PipelineSettings,
        definitions: dg.Definitions,
        instance: dg.DagsterInstance,
        register: Register,
        configs: Configs | None = None,
    ) -> None:
        gate = dg.define_asset_job(_GATE_JOB, selection=dg.AssetSelection.checks(GATE))
        self._definitions = dg.Definitions.merge(definitions, dg.Definitions(jobs=[gate]))
        self._settings, self._instance, self._register = settings, instance, register
        self._configs = configs or Configs()
        self._lake: Lake = settings.open_lake()
        self.keys = RehearsalKeys(settings.serving.keys_folder)
        self._gate: dict[str, Verdict] = {}

    def crown(self, flaw: Flaw) -> Version:
        version = self._flawed("weak", flaw)
        self.keys.crown(version.name, self._folder / version.name, version.sha256)
        self._register(self._folder / version.name)
        return version

    def champion(self) -> Version | None:
        key = self.keys.champion()
        return None if key is None else Version(key.version, key.sha256)

    def ingest(self) -> int:
        self._done(self._run(self._resolved(dg.AssetSelection.key_prefixes("bronze"))))
        table = self._lake.open(BIDS)
        return 0 if table is None else int(table.count())

    def build(self) -> str:
        wanted = dg.AssetSelection.assets(DATASET).upstream()
        keys = [key for key in self._resolved(wanted) if key.path[0] != "bronze"]
        return _words(self._done(self._run(keys)), DATASET) or "built"

    def train(self) -> Version:
        before = self._versions()
        result = self._run([MODEL], {MODEL: self._configs.train})
        made = sorted(self._versions() - before)
        if not made:
            raise _failed("The training left no new version.")
        version = self._version(made[-1])
        self._gate[version.sha256] = _gate_of(result)
        return version

    def offer(self, flaw: Flaw) -> Version:
        version = self._flawed("bad", flaw)
        self._register(self._folder / version.name)
        return version

    def validate(self, challenger: Version) -> Verdict:
        if challenger.sha256 not in self._gate:
            job = self._definitions.resolve_job_def(_GATE_JOB)
            result = job.execute_in_process(instance=self._instance, raise_on_error=False)
            self._gate[challenger.sha256] = _gate_of(result)
        return self._gate[challenger.sha256]

    def promote(self, challenger: Version, *, forced: bool = False) -> Verdict:
        config = {**self._configs.canary, **(self._configs.forced if forced else {})}
        result = self._run([LIVE], {LIVE: config})
        live = self.champion()
        passed = live is not None and live.sha256 == challenger.sha256
        return Verdict(passed, _words(result, LIVE) or ("promoted" if passed else "kept out"))

    def observe(self) -> Observed:
        return observe(self._lake)

    def told(self) -> Sequence[dict[str, Any]]:
        file = self._settings.serving.logs / STREAM
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        return [json.loads(line) for line in lines]

    @property
    def _folder(self) -> Path:
        return self._settings.serving.models_folder / PREDICTOR

    def _flawed(self, kind: str, flaw: Flaw) -> Version:
        name = f"{PREDICTOR}_{kind}_{len(self._versions()):02d}"
        return Version(name, degraded_predictor(SHIPPED, self._folder / name, name, flaw))

    def _versions(self) -> set[str]:
        return {path.parent.name for path in self._folder.glob(f"*/{MANIFEST_NAME}")}

    def _version(self, name: str) -> Version:
        return Version(name, file_sha256(self._folder / name / MANIFEST_NAME))

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
            if config
        }
        job = self._definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            asset_selection=list(keys),
            run_config={"ops": ops} if ops else None,
            instance=self._instance,
            raise_on_error=False,
        )

    def _done(self, result: dg.ExecuteInProcessResult) -> dg.ExecuteInProcessResult:
        if not result.success:
            steps = [event.step_key for event in result.all_events if event.is_step_failure]
            raise _failed(f"A run failed at {', '.join(map(str, steps)) or 'its start'}.")
        return result


def _gate_of(result: dg.ExecuteInProcessResult) -> Verdict:
    """What the gate evaluated. Raises `step_failed` when the run never came to it."""
    for evaluation in result.get_asset_check_evaluations():
        if evaluation.asset_check_key == GATE:
            words = evaluation.description or _listed(evaluation.metadata)
            return Verdict(evaluation.passed, words)
    raise _failed("The run never came to the gate.")


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
        if isinstance(value, str | int | float) and len(str(value)) < 80
    )


def _failed(why: str) -> SkynetError:
    return SkynetError("step_failed", why, 500)


def _no_asset() -> SkynetError:
    return SkynetError("no_asset", "An asset of the circle is defined by no area.", 500)
