# SPDX-License-Identifier: Apache-2.0
"""Prometheus series of the billing export: `orch_invoices_*`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SENT = Counter("orch_invoices_sent", "Invoices sent.")
MICROS = Counter("orch_invoices_micros", "Micro-units in them.")
HELD = Gauge("orch_invoices_held", "Advertisers whose last period does not add up.")
