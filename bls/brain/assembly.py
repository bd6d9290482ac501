# SPDX-License-Identifier: Apache-2.0
"""Everything the brains of a server share, opened together and closed together."""

from __future__ import annotations

from collections.abc import Callable

from bls.brain import stats as brain_stats
from bls.brain.budget.opened import OpenBudgets
from bls.brain.decisions.record import DecisionLog
from bls.brain.feedback import FeedbackLog
from bls.brain.forecast import drift, health, held, monitor, residuals
from bls.brain.forecast.drift import DriftMonitor
from bls.brain.forecast.health import PredictorHealth
from bls.brain.forecast.held import HeldForecast
from bls.brain.forecast.monitor import ForecastMonitor
from bls.brain.forecast.residuals import ResidualLog
from bls.brain.hub import stats as hub_stats
from bls.brain.hub.load import load_hub
from bls.brain.hub.stats import HubStats
from bls.brain.live_params import LiveParams
from bls.brain.purse import Purses
from bls.brain.services import BrainServices
from bls.brain.valuer import Valuer
from bls.campaigns import Campaigns
from bls.jsonlog import JsonLog
from bls.keys import stats as key_stats
from bls.keys.signing import load_trusted
from bls.keys.store import open_store
from bls.settings import Settings
from kernels_cuda.mpc import Mpc

Table = dict[str, tuple[str, str]]

_SAMPLED = 16
"""One token in so many is written to `predictor.errors` whole; what is beyond 3 sigma always is."""


class BrainAssembly:
    """`services` for the replies; `series` to export; `close` when no reply is left.

    Args:
        fault: told of faults of ours that no reply fails by.
    """

    def __init__(
        self,
        settings: Settings,
        campaigns: Campaigns,
        valuer: Valuer,
        log: JsonLog,
        fault: Callable[[Exception], None],
    ) -> None:
        limits = settings.limits
        self._store = open_store(settings.key_store, settings.etcd_password)
        self._kept = open_store(settings.keys_kept)
        trusted = load_trusted(settings.params_public_keys)
        self._params = LiveParams(self._store, trusted, log, kept=self._kept)
        unit = campaigns.micros_per_weight
        self._budgets = OpenBudgets(settings, campaigns, fault)
        self._hub_stats = HubStats()
        hub = load_hub(settings.redis, self._hub_stats, limits=limits)
        self._monitor = ForecastMonitor(
            ResidualLog(log=log, every=_SAMPLED), DriftMonitor(log=log), limits=limits
        )
        stats = brain_stats.BrainStats()
        self.services = BrainServices(
            params=self._params,
            hub=hub,
            held=HeldForecast(limits=limits),
            health=PredictorHealth(),
            monitor=self._monitor,
            purses=Purses(self._budgets.budgets, unit, stats.ran_out),
            valuer=valuer,
            telemetry=DecisionLog(log),
            stats=stats,
            feedback=FeedbackLog(log),
            path=int(Mpc().path),
        )

    @property
    def series(self) -> list[tuple[object, Table, Table]]:
        """(stats object, counters, gauges) of every part."""
        services, watched = self.services, self._monitor
        return [
            (services.stats, brain_stats.COUNTERS, {}),
            (self._hub_stats, hub_stats.COUNTERS, hub_stats.GAUGES),
            (services.held.stats, held.COUNTERS, held.GAUGES),
            (services.health, health.COUNTERS, health.GAUGES),
            (watched, monitor.COUNTERS, monitor.GAUGES),
            (watched.residuals.stats, residuals.COUNTERS, residuals.GAUGES),
            (watched.drift.stats, drift.COUNTERS, drift.GAUGES),
            (self._params.stats, key_stats.COUNTERS, key_stats.GAUGES),
        ]

    def close(self) -> None:
        self._params.close()
        self._store.close()
        self._kept.close()
        self._monitor.close()
        self.services.hub.stop()
        self._budgets.close()
