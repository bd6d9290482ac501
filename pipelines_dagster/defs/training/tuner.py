# SPDX-License-Identifier: Apache-2.0
"""`models/tuner`: H, lambda_risk, M and w_max by simulated ROI, on the machinery of the A/B runs.

Every combination of the grid plays the same tuning trials; the best of them then meets the live
parameters on other seeds. Unless the 95 % interval of the gain lies above zero, nothing changes.
The bidder believes the live forecaster and value model. On a Ray cluster the combinations are
played there; the same function gives the same numbers on either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from bls.audit.bootstrap import Estimate, means
from bls.brain.params import KEY, MpcParams, read_params
from bls.errors import SkynetError
from pipelines_dagster.defs.market.ab.bidders import Controller
from pipelines_dagster.defs.market.ab.command import REGIMES
from pipelines_dagster.defs.market.ab.experiment import TUNING_SEED, Believed
from pipelines_dagster.defs.market.ab.models import Curves, Forecast, believe
from pipelines_dagster.defs.market.ab.play import Setting, play
from pipelines_dagster.defs.market.ab.trial import Trial, draw_trial
from pipelines_dagster.defs.market.traits import F64
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer
from pipelines_dagster.defs.training.values import write_value

Grid = Mapping[str, tuple[Any, ...]]
Case = tuple[Trial, Believed]
Score = Callable[[MpcParams], float]
Each = Callable[[Score, list[MpcParams]], Iterable[float]]

GRIDS: dict[str, Grid] = {
    "full": {
        "horizon": (1, 3, 5, 8),
        "lambda_risk": (0.25, 0.5, 1.0),
        "momentum": (2, 8, 16, 64),
        "w_max": (1.5, 2.0, 3.0, 4.0),
    },
    "quick": {"horizon": (3, 8), "momentum": (8, 64), "w_max": (2.0, 3.0)},
}


@dataclass(frozen=True)
class Size:
    """Of a search: seeds are per regime, conversations per seed."""

    tuning_seeds: int
    seeds: int
    conversations: int


@dataclass(frozen=True)
class Found:
    """The best combination, and the ROI of both [cases] where the search did not look."""

    params: MpcParams
    base: F64
    guided: F64

    @property
    def lift(self) -> Estimate:
        """Gain in ROI, a share of the budget, with its 95 % interval (paired bootstrap)."""
        return means(range(len(self.base)), self.guided - self.base, seed=0)


SIZES = {"full": Size(2, 8, 400), "quick": Size(1, 4, 60)}


def run(job: Job) -> Made:
    """Raises `nothing_better` when no combination is shown to beat the live parameters."""
    from pipelines_dagster.defs.market.ab.models import OnnxCurves, OnnxForecast  # noqa: PLC0415

    live = read_params(job.live.get(KEY, {}))
    found = search(
        live,
        GRIDS[job.profile],
        SIZES[job.profile],
        OnnxForecast(job.champions["pred"]),
        OnnxCurves(job.champions["tve"]),
        seed=job.seed,
        each=on_ray(job.settings.ray) if job.settings.ray else here,
    )
    lift = found.lift
    metrics = {"lift": lift.value, "lift_low": lift.low, "lift_high": lift.high}
    metrics |= {"roi_live": float(found.base.mean()), "roi_tuned": float(found.guided.mean())}
    if not lift.low > 0:
        raise SkynetError(
            "nothing_better",
            f"The best parameters change the ROI by {lift.low:+.4f} to {lift.high:+.4f}.",
            409,
        )
    value = found.params.model_dump()
    origin = hashlib.sha256(json.dumps(live.model_dump(), sort_keys=True).encode()).hexdigest()
    folder = write_value(
        job.out / "model", "tuner", value, metrics=metrics, origin=origin, seed=job.seed
    )
    return Made(folder, metrics, {"before": live.model_dump(), "after": value})


def search(
    live: MpcParams,
    grid: Grid,
    size: Size,
    forecast: Forecast,
    curves: Curves,
    *,
    seed: int = 0,
    each: Each | None = None,
) -> Found:
    """The best combination against `live`, on seeds the search did not use.

    Args:
        seed: shifts every seed.
        each: plays many combinations; here, one after the other, by default.
    """
    shift = 10_000 * seed
    tuning = _cases(TUNING_SEED + shift, size.tuning_seeds, size, forecast, curves)
    tried = combinations(live, grid)
    scores = list((each or here)(lambda params: _total(params, tuning), tried))
    best = tried[int(np.argmax(scores))]
    cases = _cases(shift, size.seeds, size, forecast, curves)
    base, guided = (
        np.array([roi(params, case) for case in cases], np.float64) for params in (live, best)
    )
    return Found(best, base, guided)


def combinations(live: MpcParams, grid: Grid) -> list[MpcParams]:
    """The live parameters and every combination of the grid in their place, each once."""
    made = [live] + [
        live.model_copy(update=dict(zip(grid, values, strict=True)))
        for values in product(*grid.values())
    ]
    return [one for place, one in enumerate(made) if one not in made[:place]]


def roi(params: MpcParams, case: Case) -> float:
    """Net return on the budget of a case's first ads."""
    trial, believed = case
    setting = Setting()
    bidder = Controller(params, believed, setting.reserve)
    return play(trial, bidder, np.zeros(len(trial), np.int64), setting).roi


def here(score: Score, tried: list[MpcParams]) -> Iterable[float]:
    """One after the other."""
    return map(score, tried)


def on_ray(address: str) -> Each:
    """On the cluster at `address` (`local` starts one here)."""

    def each(score: Score, tried: list[MpcParams]) -> Iterable[float]:
        import ray  # noqa: PLC0415  (seconds to import)

        if not ray.is_initialized():
            ray.init(address=address, include_dashboard=False, log_to_driver=False)
        remote = ray.remote(_played)
        shared = ray.put(score)
        scores: list[float] = ray.get([remote.remote(shared, params) for params in tried])
        return scores

    return each


def _played(score: Score, params: MpcParams) -> float:
    return score(params)


def _total(params: MpcParams, cases: list[Case]) -> float:
    return sum(roi(params, case) for case in cases)


def _cases(first: int, count: int, size: Size, forecast: Forecast, curves: Curves) -> list[Case]:
    cases = []
    for regime in REGIMES:
        for seed in range(first, first + count):
            trial = believe(draw_trial(regime, size.conversations, seed), forecast)
            cases.append((trial, curves(trial)))
    return cases


TRAINER = Trainer("tuner", run, gold="", sla_s=45 * 60)
