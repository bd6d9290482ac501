# SPDX-License-Identifier: Apache-2.0
"""The asset `ops/invoices`: yesterday's invoices, or the reasons why there are none."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.billing.period import yesterday
from pipelines_dagster.defs.billing.run import invoice_period
from pipelines_dagster.defs.billing.series import HELD, MICROS, SENT
from pipelines_dagster.defs.billing.sinks import open_sink
from pipelines_dagster.resources import Pipelines

_BRONZE = [dg.AssetKey(["bronze", name]) for name in ("auction_bids", "auction_vcg", "e2e_trace")]


@dg.asset(key=["ops", "invoices"], group_name="ops", deps=_BRONZE)
def invoices(pipelines: Pipelines) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Invoices of yesterday (UTC), sent once; what does not add up is held."""
    settings = pipelines.settings()
    period = yesterday()
    night = invoice_period(settings, period, open_sink(settings.serving.state))
    SENT.inc(len(night.sent))
    MICROS.inc(night.total_micros)
    HELD.set(len(night.held))
    return dg.MaterializeResult(
        metadata={
            "period": period.name,
            "sent": len(night.sent),
            "stood": len(night.stood),
            "held": dg.MetadataValue.json(night.held),
            "changed": dg.MetadataValue.json(night.changed),
            "total_micros": night.total_micros,
        }
    )


@dg.asset_check(asset=invoices, name="nothing_held")
def nothing_held(pipelines: Pipelines) -> dg.AssetCheckResult:
    """Every charge of yesterday adds up."""
    night = invoice_period(pipelines.settings(), yesterday(), None)
    return dg.AssetCheckResult(
        passed=not night.held and not night.changed,
        metadata={"held": dg.MetadataValue.json(night.held)},
    )
