# SPDX-License-Identifier: Apache-2.0
"""Figures of a version of `agent_score` or `session_price`, drawn the same way for every version.

Agent score: sessions that no version was trained on (`training.sessions.held_out`), scored whole.
Price: markets of PHANTOM's environment, the same visitors for both policies (paired seeds).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bls.contracts import AGENT_SCORE, MULTIPLIERS, PRICE_GRAPH, ModelContract, PriceState
from bls.models.onnx_model import OnnxModel
from bls.phantom.pricer import sane
from export.errors import ExportError
from pipelines_dagster.lake.lake import Lake

if TYPE_CHECKING:
    from export.agent_score.sessions import Prefixes

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Bases = Mapping[float, F64]
"""Objectives f64[markets] by the share of agents."""

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
"""Of agents among the visitors of a simulated market."""
MARKETS = {"full": 64, "quick": 16}
"""Paired: one market of each policy a seed."""
STEPS = {"full": 100, "quick": 10}
SEED = 11
"""Of the gate's markets; what a trainer compares before it has its own, `TRIED`."""
TRIED = 12
STATES = 20_000
_Z_95 = 1.959964
_AGENT_GRAPH = ModelContract(
    AGENT_SCORE.name, AGENT_SCORE.max_batch, AGENT_SCORE.inputs[:2], AGENT_SCORE.outputs[:2]
)


def held_rows(lake: Lake, profile: str) -> Prefixes:
    """What every version of `agent_score` is judged by."""
    from export.agent_score.sessions import prefixes  # noqa: PLC0415
    from pipelines_dagster.defs.training.sessions import held_out  # noqa: PLC0415  (slow)

    return prefixes(held_out(lake, profile))


def agent_figures(version: Path, data: Prefixes) -> Mapping[str, float]:
    """low and high of the scores; auc and auc_low, the lower end of its 95 % interval; ece and
    brier at the prior share of agents; sessions. Only low and high where they are no probabilities.

    Raises `ExportError` for a folder that is no agent score, and whatever its graph raises.
    """
    from export.agent_score.artefact import verify  # noqa: PLC0415  (slow)
    from export.agent_score.config import TrainConfig  # noqa: PLC0415
    from export.agent_score.scores import auc_interval, brier, ece  # noqa: PLC0415

    verify(version)
    whole, prior = data.whole(), TrainConfig().prior
    inputs = (data.transitions[whole], data.stats[whole])
    names = (tensor.name for tensor in _AGENT_GRAPH.inputs)
    found, _ = OnnxModel(version, _AGENT_GRAPH).run(dict(zip(names, inputs, strict=True)))
    score = found[:, 0].astype(np.float64)
    low, high = float(score.min()), float(score.max())
    if not (low >= 0.0 and high <= 1.0):
        return {"low": low, "high": high}  # also NaN
    area = auc_interval(data.agent, score)
    return {
        "low": low,
        "high": high,
        "auc": area.value,
        "auc_low": area.low,
        "ece": ece(data.agent, score, prior),
        "brier": brier(data.agent, score, prior),
        "sessions": float(len(score)),
    }


def base_figures(champion: Path | None, profile: str) -> Bases:
    """What a challenger's objectives are compared to: the champion's, of each share of agents;
    without one those of the base price.

    Raises `ExportError` for a folder that is no pricing policy.
    """
    model = None if champion is None else OnnxModel(champion, PRICE_GRAPH)
    return {share: objectives(model, share, profile) for share in SHARES}


def price_figures(version: Path, bases: Bases, profile: str) -> Mapping[str, float]:
    """low, high, and of each share of agents objective_<share>: see `gates.OBJECTIVE_FALL`.

    Raises `ExportError` for a folder that is no pricing policy.
    """
    model = OnnxModel(version, PRICE_GRAPH)
    found = _multipliers(model, states(STATES, SEED))
    figures = {"low": float(found.min()), "high": float(found.max())}
    if not sane(found):
        return figures  # it prices nothing
    for share, base in bases.items():
        own = objectives(model, share, profile)
        change = own - base
        low = change.mean() - _Z_95 * change.std(ddof=1) / math.sqrt(len(change))
        figures[f"objective_{share:g}"] = float(low / abs(base.mean()))
        figures[f"mean_{share:g}"] = float(own.mean())
    return figures


def gained(version: Path, champion: Path, profile: str) -> float:
    """Mean over the shares of agents of the relative change of the objective, in other markets
    than the gate's: a version is not judged again by the luck it was picked for.

    Raises `ExportError` as `price_figures`.
    """
    models = [OnnxModel(folder, PRICE_GRAPH) for folder in (version, champion)]
    means = [
        [objectives(model, share, profile, TRIED).mean() for model in models] for share in SHARES
    ]
    return float(np.mean([(own - base) / abs(base) for own, base in means]))


def states(count: int, seed: int) -> F32:
    """f32 [count, 8] of every kind that a shop can have, and a tenth far outside."""
    rng = np.random.default_rng(seed)
    rows = np.empty((count, len(PriceState)))
    rows[:, PriceState.DEMAND] = rng.exponential(1.0, count)
    rows[:, PriceState.LOW] = rng.uniform(0.3, 1.0, count)
    rows[:, PriceState.HIGH] = rng.uniform(1.0, 3.0, count)
    rows[:, PriceState.PRICE] = rng.uniform(rows[:, PriceState.LOW], rows[:, PriceState.HIGH])
    rows[:, PriceState.COST] = rng.uniform(0.0, rows[:, PriceState.LOW])
    rows[:, PriceState.AGENT] = rng.uniform(0.0, 1.0, count)
    rows[:, PriceState.EVENTS] = rng.uniform(0.0, 1.8, count)
    rows[:, PriceState.QUOTES] = rng.uniform(0.0, 1.4, count)
    wild = rng.normal(0, 100, rows.shape)
    return np.where(rng.random((count, 1)) < 0.1, wild, rows).astype(np.float32)


def objectives(policy: OnnxModel | None, share: float, profile: str, seed: int = SEED) -> F64:
    """What each of the markets earned a step: the environment's objective without robustness. A
    market that ended early earns nothing more.

    Args:
        policy: None asks the base price.
    """
    from pipelines_dagster.phantom.market.config import MarketConfig  # noqa: PLC0415  (gymnasium)
    from pipelines_dagster.phantom.market.env import MarketVecEnv  # noqa: PLC0415

    config = MarketConfig()
    env = MarketVecEnv(config, MARKETS[profile], alpha=share, seed=seed, autoreset=False)
    observed, _ = env.reset(seed=seed)
    total = np.zeros(MARKETS[profile])
    live = np.ones(MARKETS[profile])
    for _ in range(STEPS[profile]):
        rows = observed.reshape(-1, len(PriceState))
        found = (
            np.ones((len(rows), 1), np.float32) if policy is None else _multipliers(policy, rows)
        )
        observed, _, ended, _, told = env.step(_levels(found[:, 0]).reshape(env.num_envs, -1))
        total += told["objective"] * live
        live = live * ~ended
    mean: F64 = total / STEPS[profile]
    return mean


def _levels(multipliers: F32) -> NDArray[np.int64]:
    """The nearest level of each multiplier."""
    gaps = np.abs(multipliers[:, None] - np.array(MULTIPLIERS, np.float32))
    nearest: NDArray[np.int64] = gaps.argmin(axis=1)
    return nearest


def _multipliers(model: OnnxModel, rows: F32) -> F32:
    try:
        (found,) = model.run({PRICE_GRAPH.inputs[0].name: np.ascontiguousarray(rows, np.float32)})
    except Exception:  # onnxruntime's; its text has graph details
        raise ExportError("model_contract", "the graph does not run") from None
    multipliers: F32 = found
    return multipliers
