# SPDX-License-Identifier: Apache-2.0
"""The asset `ops/invoices`: invoices of the last days, or the reasons why there are none."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.billing.period import recent
from pipelines_dagster.defs.billing.run import Night, invoice_period
from pipelines_dagster.defs.billing.sinks import InvoiceSink, open_sink
from pipelines_dagster.notify.series import folder, gauge
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import PipelineSettings

DAYS = 14
"""A day that is held comes again for so long; one that was sent stands."""
_BRONZE = [dg.AssetKey(["bronze", name]) for name in ("auction_bids", "auction_vcg", "e2e_trace")]


@dg.asset(key=["ops", "invoices"], group_name="ops", deps=_BRONZE)
def invoices(pipelines: Pipelines) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Invoices of the last 14 days (UTC), each sent once; what does not add up is held."""
    settings = pipelines.settings()
    nights = _nights(settings, open_sink(settings.serving.state))
    sent = sum(len(night.sent) for night in nights.values())
    micros = sum(night.total_micros for night in nights.values())
    held = {day: night.held for day, night in nights.items() if night.held}
    into = folder(settings)
    gauge(into, "orch_invoices_sent", sent, "Invoices that the last run sent")
    gauge(into, "orch_invoices_micros", micros, "Micro-units in them")
    gauge(into, "orch_invoices_held", sum(map(len, held.values())), "Charges that do not add up")
    return dg.MaterializeResult(
        metadata={
            "period": f"{min(nights)} to {max(nights)}",
            "sent": sent,
            "stood": sum(len(night.stood) for night in nights.values()),
            "held": dg.MetadataValue.json(held),
            "changed": dg.MetadataValue.json(
                [number for night in nights.values() for number in night.changed]
            ),
            "compared": dg.MetadataValue.json(
                {day: night.compared for day, night in nights.items()}
            ),
            "total_micros": micros,
        }
    )


@dg.asset_check(asset=invoices, name="nothing_held")
def nothing_held(pipelines: Pipelines) -> dg.AssetCheckResult:
    """Every charge of the last 14 days adds up."""
    nights = _nights(pipelines.settings(), None)
    held = {day: night.held for day, night in nights.items() if night.held}
    return dg.AssetCheckResult(
        passed=not held and not any(night.changed for night in nights.values()),
        metadata={"held": dg.MetadataValue.json(held)},
    )


def _nights(settings: PipelineSettings, sink: InvoiceSink | None) -> dict[str, Night]:
    """By day, the oldest first: a remainder is carried on to later days."""
    return {day.name: invoice_period(settings, day, sink) for day in recent(DAYS)}
