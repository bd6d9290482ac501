# SPDX-License-Identifier: Apache-2.0
"""What the brains of all replies of a process share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bls.brain.decisions.record import DecisionRecord
from bls.brain.feedback import Delivered
from bls.brain.forecast.health import PredictorHealth
from bls.brain.forecast.held import HeldForecast
from bls.brain.forecast.monitor import ForecastMonitor
from bls.brain.hub.feature_hub import FeatureHub
from bls.brain.params import MpcParams
from bls.brain.purse import Purses
from bls.brain.stats import BrainStats
from bls.brain.valuer import Valuer


@dataclass(frozen=True)
class BrainServices:
    """`params` gives the parameters in force and their version; `telemetry` and `feedback` never
    wait; `path` is the instruction set the controller runs with (`kernels_cuda.contract.Path`)."""

    params: Callable[[], tuple[MpcParams, int]]
    hub: FeatureHub
    held: HeldForecast
    health: PredictorHealth
    monitor: ForecastMonitor
    purses: Purses
    valuer: Valuer
    telemetry: Callable[[Sequence[DecisionRecord]], None]
    stats: BrainStats
    feedback: Callable[[Sequence[Delivered]], None] = lambda ended: None
    path: int = 0
