# SPDX-License-Identifier: Apache-2.0
"""A running experiment, a driver's label, and how a test says one."""

from __future__ import annotations

from typing import Any

from tests.phantom.ingest.rig import Shop

RUNNING = {
    "name": "static_or_learned",
    "mode": "hotel",
    "first": "2020-01-01",
    "last": "2099-12-31",
    "conditions": {"static": 0.25, "learned": 0.75},
}
DRIVEN = {"label": "synthetic", "origin": "cheapest_first", "actor": "agent"}


def label(shop: Shop, sid: str, **body: Any) -> Any:
    return shop.post(f"/v1/sessions/{sid}/label", body)
