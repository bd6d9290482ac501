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
from dataclasses import asdict, dataclass, replace

from torch import Tensor

from bls.jsonlog import JsonLog
from export.bid_predictor.baselines import Model
from export.bid_predictor.draws import Draws, Sample
from export.bid_predictor.scores import ks_between, pit, score
from export.bid_predictor.windows import F64
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


def run(model: Model, draws: Draws) -> list[Row]:
    """Every attack in both views."""
    clean = model(draws.plain.windows)
    rows = [_history(model, key, past, clean, draws.plain) for key, past in draws.false.items()]
    rows += [_market(model, name, sample) for name, sample in draws.markets.items()]
    return sorted(rows, key=lambda row: (row.scenario, row.view))


def _history(model: Model, key: tuple[str, str], past: F64, clean: Tensor, plain: Sample) -> Row:
    label = plain.windows.label
    false = model(replace(plain.windows, past=past))
    before, after = score(clean, label), score(false, label)
    return Row(
        *key,
        rows=len(label),
        rmse=after.rmse,
        ks=after.ks,
        increase=after.rmse / before.rmse - 1,
        ks_drift=ks_between(pit(clean, label), pit(false, label)),
        irreducible=plain.irreducible,
    )


def _market(model: Model, name: str, sample: Sample) -> Row:
    found = score(model(sample.windows), sample.windows.label)
    return Row(name, "market", found.rows, found.rmse, found.ks, irreducible=sample.irreducible)


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
    for view in ("history", "anywhere"):
        spike = found.get(("spike", view))
        if spike is None or not spike.increase <= SPIKE_MOST:
            shown = _shown(spike, "increase")
            failures.append(f"spike, {view}: RMSE +{shown}, at most +{SPIKE_MOST}")
    return failures


def write_log(rows: Sequence[Row], log: JsonLog) -> None:
    """`robust.<scenario>.metric` lines: scenario, view, rmse, ks and the rest."""
    for row in rows:
        log.write(f"robust.{row.scenario}.metric", **asdict(row))


def _shown(row: Row | None, field: str) -> str:
    return "missing" if row is None else f"{getattr(row, field):.3f}"
