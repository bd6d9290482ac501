# SPDX-License-Identifier: Apache-2.0
"""What the published engine reached (PHANTOM's model, "Published figures"), for comparison.

Its units are those of its engine: only shares of them compare with ours.
"""

from __future__ import annotations

from pipelines_dagster.phantom.policies.policy import Tier

SLOPE = (348_823.0, -90_141.0)
"""Revenue at alpha 0, and its change to alpha 1: 100 products, n = 95."""

MEANS: dict[Tier, tuple[float, float]] = {
    "linear": (315_501.0, 306_270.0),
    "dqn": (315_186.0, 306_875.0),
    "qtable": (259_819.0, 244_471.0),
    "static": (85_228.0, 84_963.0),
    "surge": (11_122.0, 10_994.0),
}
"""Mean revenue, baseline and robust."""
