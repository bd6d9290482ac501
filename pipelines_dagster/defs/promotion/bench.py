# SPDX-License-Identifier: Apache-2.0
"""`python -m pipelines_dagster.defs.promotion.bench`: how long the registry and a promotion take.

C-07: MLflow's REST server on SQLite, 100 calls. C-03: from a passed gate to the key, the shipped
predictor as the artefact, a folder as lake, store and key store.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np

from bls.settings import Settings
from client.table import table
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.arms import Arm, Observation, Rules
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.promote import Plan, promote
from pipelines_dagster.notify.series import folder as series_folder
from pipelines_dagster.notify.series import gauge
from pipelines_dagster.registry.mlflow_registry import ModelRegistry, RunRecord
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.registry.server import served
from pipelines_dagster.settings import PipelineSettings

CALLS, PROMOTIONS = 100, 20
_LIMITS = {"MLflow REST, experiments/search": 300.0, "from a passed gate to the key": 30_000.0}


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        settings = PipelineSettings(Settings(state=root), webhook="log")
        registry = ModelRegistry(settings.registry_uri, root / "mlflow" / "artifacts")
        desk = open_desk(settings, registry)
        stored = champion("pred", desk.keys, desk.artefacts, settings)
        assert stored is not None
        registry.record(stored, desk.artefacts.fetch(stored), RunRecord({"steps": 1}))
        rows = [_row("MLflow client on SQLite", _times(registry.answers, CALLS))]
        with served(settings.registry_uri, root / "server") as url:
            rest = _rest(url)
        gauge(series_folder(settings), "orch_mlflow_latency", float(np.median(rest)), "ms")
        rows.append(_row("MLflow REST, experiments/search", rest))
        rows.append(_row("from a passed gate to the key", _promotions(desk, stored)))
    print(table(("what", "n", "p50 ms", "p95 ms", "limit ms"), rows))
    print(f"1-minute load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _rest(url: str) -> list[float]:
    with httpx.Client(base_url=url, timeout=30) as client:

        def ask() -> None:
            path = "/api/2.0/mlflow/experiments/search"
            client.post(path, json={"max_results": 10}).raise_for_status()

        ask()
        return _times(ask, CALLS)


def _promotions(desk: Desk, shipped: Stored) -> list[float]:
    """The same files under new names: each is a promotion of its own, canary and all."""
    folder = desk.artefacts.fetch(shipped)
    arm = Arm(10_000, 1_000, 0.04, 1e-8)
    better = Observation(arm, Arm(10_000, 1_000, 0.03, 1e-8))
    plan = Plan(watch_s=0.0, rules=Rules(rows=1))
    found, before = [], Stored("pred", "pred_none", shipped.uri, "0" * 64)
    for number in range(PROMOTIONS):
        stored = desk.artefacts.put("pred", f"pred_bench_{number}", folder)
        desk.ledger.append(Event(stored.version, log.GATE, stored))
        found.append(promote(desk, stored, before, plan, lambda: better).elapsed_ms)
    return found


def _times(call: Callable[[], object], count: int) -> list[float]:
    found = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        found.append(1e3 * (time.perf_counter() - began))
    return found


def _row(name: str, times: list[float]) -> tuple[str, ...]:
    middle, high = np.percentile(times, [50, 95])
    limit = f"{_LIMITS[name]:.0f}" if name in _LIMITS else ""
    return name, str(len(times)), f"{middle:.1f}", f"{high:.1f}", limit


if __name__ == "__main__":
    main()
