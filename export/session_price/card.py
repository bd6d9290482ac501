# SPDX-License-Identifier: Apache-2.0
"""MODEL_CARD.md of an exported policy, from what its training and parity said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export.session_price.parity import NEAR_TIE, Parity
from pipelines_dagster.phantom.policies.policy import Origin

_TEXT = """\
# session_price {version}

What one item costs one session: `STATE f32 [n, 8] -> MULTIPLIER f32 [n, 1]`, times the base price
(`bls.contracts.PriceState`, `MULTIPLIERS`). {layers}, {numbers:,} numbers, f32,
opset 21; cutting, scaling, argmax and the levels are inside the graph. Licence Apache-2.0. How it
was trained and every figure: `docs/phantom_bench.md`.

| | |
|---|---|
| tier | {tier}, {robust}, seed {seed}, {timesteps:,} market steps |
| trained on | the simulated market alone; no person's session was seen |
| made by | `{made_by}` |
| exported by | `{exported_by}` |
| code | {git} |
{figures}
| parity: random states, many outside training | {rows:,} |
| multipliers that differ from torch | {differ} ({ties} near ties within {near:g} left out) |
| multipliers that change when a row is served alone | {alone} |

Gains are over base prices before the same simulated visitors, by the share of agents.

## Use

Rows are items of one session's page. It reads demand, the price shown last{agent};
every other feature has no weight. The caller clamps to the item's floor and ceiling and falls
back to the base price; the model does neither.

## Limits

- The simulator's visitors, not people, decided these prices: an experiment with real sessions
  comes first.
- One row sees nothing of the other items. Prices of a catalogue whose demand is spread otherwise
  than in the simulator are a guess.
- A session known to be an agent's may get another price than a person's; whether that is allowed
  where you sell is for you to check.
"""


def card(
    version: str,
    origin: Origin,
    config: Mapping[str, Any],
    parity: Parity,
    metrics: Mapping[str, float],
    *,
    numbers: int,
    hidden: int,
    exported_by: str,
) -> str:
    """The page."""
    shown = [f"| {name.replace('_', ' ')} | {value:,.4g} |" for name, value in metrics.items()]
    return _TEXT.format(
        version=version,
        numbers=numbers,
        layers=f"{hidden} hidden layers of tanh" if hidden else "Linear in the state",
        tier=origin.tier,
        robust=origin.robust,
        seed=origin.seed,
        timesteps=origin.timesteps,
        made_by=config.get("created_by", "unknown"),
        exported_by=exported_by,
        git=config.get("git", "unknown"),
        figures="\n".join(shown),
        rows=parity.rows,
        differ=parity.differ,
        ties=parity.ties,
        near=NEAR_TIE,
        alone=parity.alone,
        agent=" and the agent probability" if origin.robust == "conditional" else "",
    ).replace("\n\n| parity:", "\n| parity:")
