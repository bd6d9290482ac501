# SPDX-License-Identifier: Apache-2.0
"""The robustness harness: five adversaries, RMSE and KS, and the gate (competitor_bid 2.2 I, U-05,
U-06, I-04).

Two views of each attack. **history**: plain markets whose windows are falsified, the label is what
it would have been; RMSE and PIT are compared with the same rows unfalsified. **market**: whole
conversations in which seats really attack, labels included; the simulator's irreducible RMSE stands
beside them. A bluff over the *whole* window is the same window at another level: a forecast that
follows the level exactly (U-07) cannot also ignore it, so `whole` is shown, never gated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from torch import Tensor

from bls.jsonlog import JsonLog
from export.bid_predictor import corrupt
from export.bid_predictor.baselines import Model
from export.bid_predictor.scores import ks_between, pit, score
from export.bid_predictor.windows import F64, Windows, past_windows
from pipelines_dagster.defs.market import attacks
from pipelines_dagster.defs.market.params import ATTACKS

KS_MOST = 0.15
SPIKE_MOST = 0.25
BLUFF_MOST = 0.05


@dataclass(frozen=True)
class Row:
    """One attack, one view.

    Attributes:
        rmse, ks: under attack; `ks` is the PIT's distance from uniform.
        increase: of the RMSE over the same rows unfalsified, a share; 0 in the market view.
        ks_drift: distance between the PITs of the same rows with and without the attack; 0 in the
            market view.
        irreducible: RMSE of the simulator's own mean.
    """

    scenario: str
    view: str
    rows: int
    rmse: float
    ks: float
    increase: float = 0.0
    ks_drift: float = 0.0
    irreducible: float = 0.0


def run(model: Model, seed: int, count: int = 20_000, conversations: int = 160) -> list[Row]:
    """Every attack in both views; the same seed gives the same rows to every model."""
    rows = []
    for name in ATTACKS:
        rows.append(history(model, name, seed, count))
        if name == "bluff":
            rows.append(history(model, name, seed, count, whole=True))
        rows.append(market(model, name, seed, conversations))
    return rows


def history(model: Model, name: str, seed: int, count: int, whole: bool = False) -> Row:
    """Falsified windows of a stationary market. A bluff is a run of 1 to 7 of the 15, the newest
    often among them; `whole` puts all 15 at a tenth."""
    drawn = attacks.windows(name, count, seed)
    attacked = drawn.attacked
    if name == "bluff" and not whole:
        attacked = corrupt.bluffs(drawn.clean, np.random.default_rng(seed))
    clean = _forecast(model, drawn, drawn.clean)
    false = _forecast(model, drawn, attacked)
    before, after = score(clean, drawn.target), score(false, drawn.target)
    return Row(
        scenario=name,
        view="whole" if whole else "history",
        rows=count,
        rmse=after.rmse,
        ks=after.ks,
        increase=after.rmse / before.rmse - 1,
        ks_drift=ks_between(pit(clean, drawn.target), pit(false, drawn.target)),
        irreducible=float(np.sqrt(np.mean(drawn.sd**2))),
    )


def market(model: Model, name: str, seed: int, conversations: int) -> Row:
    """Conversations in which the attack is really played."""
    windows, sd = played(attacks.series(name, conversations, seed))
    scored = score(model(windows), windows.label)
    irreducible = float(np.sqrt(np.mean(sd**2)))
    return Row(name, "market", len(windows), scored.rmse, scored.ks, irreducible=irreducible)


def played(series: attacks.Series) -> tuple[Windows, F64]:
    """Every prediction of a series whose W_-i varies, and the law's sd of its label."""
    auctions = series.auctions
    _, steps, seats = auctions.log_w.shape
    token = np.arange(steps - 1)
    several = auctions.seated & (auctions.seated.sum(axis=1, keepdims=True) > 1)
    sold = (token < auctions.lengths[:, None])[:, :, None] & several[:, None, :]
    conv, t, seat = np.nonzero(sold)
    flat = auctions.log_w.transpose(0, 2, 1).reshape(-1)  # trajectory by trajectory
    first = (conv * seats + seat) * steps
    windows = Windows(
        contexts=series.ctx,
        ctx=conv,
        conversation=conv,
        past=past_windows(flat, first + t + 1, first),
        token_idx=t,
        label=flat[first + t + 1],
    )
    return windows, auctions.sd[conv, t, seat].astype(np.float64)


def gate(rows: Sequence[Row]) -> list[str]:
    """Why a model must not ship; empty when it may. A figure that is missing fails."""
    found = {(row.scenario, row.view): row for row in rows}
    failures = []
    for name in ATTACKS:
        row = found.get((name, "market"))
        if row is None or not row.ks <= KS_MOST:
            failures.append(f"{name}: KS {_shown(row, 'ks')}, at most {KS_MOST}")
    bluff = found.get(("bluff", "history"))
    if bluff is None or not bluff.ks_drift <= BLUFF_MOST:
        failures.append(f"bluff: KS drift {_shown(bluff, 'ks_drift')}, at most {BLUFF_MOST}")
    bluff = found.get(("bluff", "market"))
    if bluff is None or not bluff.ks <= BLUFF_MOST:
        failures.append(f"bluff, market: KS {_shown(bluff, 'ks')}, at most {BLUFF_MOST}")
    spike = found.get(("spike", "history"))
    if spike is None or not spike.increase <= SPIKE_MOST:
        failures.append(f"spike: RMSE +{_shown(spike, 'increase')}, at most +{SPIKE_MOST}")
    return failures


def write_log(rows: Sequence[Row], log: JsonLog) -> None:
    """`robust.<scenario>.metric` lines: scenario, view, rmse, ks and the rest."""
    for row in rows:
        log.write(f"robust.{row.scenario}.metric", **asdict(row))


def _forecast(model: Model, drawn: attacks.Windows, past: F64) -> Tensor:
    places = np.arange(len(past))
    return model(Windows(drawn.ctx, places, places, past, drawn.token_idx, drawn.target))


def _shown(row: Row | None, field: str) -> str:
    return "missing" if row is None else f"{getattr(row, field):.3f}"
