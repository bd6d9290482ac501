# SPDX-License-Identifier: Apache-2.0
"""The model card that travels with each version."""

from __future__ import annotations

from typing import Any

CARD = "MODEL_CARD.md"

_TEXT = """\
# Trajectory value model `tve`, {version}

**What it does.** From a conversation's 128-d context vector and an ad's text (at most 48 byte-pair
tokens) it predicts the ad's value curve V(k) = v_max / (1 + exp(-a (k - k_0))): the cumulative
value, per unit of the campaign's rate, after k of its tokens were delivered; and the spread of
v_max.

**Made for** bidding in this product. It knows nothing of the reader: no identifier, no history.
It is not a judge of whether an ad is true, fair or legal.

**Network.** Context tower 2 layers, ad tower 4 layers, cross-attention, an MLP.
Options: `{config}`.

**Data.** A seeded market simulator (dataset sha256 `{digest}`), seed {seed}. Clicks are simulated:
before real money depends on it, train it on your own logs.

**Figures** on ads it was never trained on (rmse and crps in units of the label's standard
deviation):

{table}

**Limits.** English creatives like those of the simulator; context vectors of the shipped
`context_encoder` only. Outside of that the curve stays within its bounds but means little.
"""


def card(
    version: str, metrics: dict[str, float], config: dict[str, Any], seed: int, digest: str
) -> str:
    """The text of a version's card."""
    rows = [f"| {name} | {value:.4g} |" for name, value in sorted(metrics.items())]
    table = "\n".join(["| figure | value |", "|---|---|", *rows])
    return _TEXT.format(version=version, config=config, digest=digest, seed=seed, table=table)
