# SPDX-License-Identifier: Apache-2.0
"""docs/params.md names everything an operator can meet."""

from __future__ import annotations

from pathlib import Path

from bls.brain.params import MpcParams
from bls.keys.refusal import Reason
from bls.keys.stats import COUNTERS, GAUGES, KeyStats

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "params.md").read_text(encoding="utf-8")


def test_fields_reasons_and_series_are_there() -> None:
    for name in (*MpcParams.model_fields, *(reason.title for reason in Reason)):
        assert f"`{name}`" in PAGE
    for series in (*COUNTERS, *GAUGES):
        assert series in PAGE


def test_series_are_of_the_totals() -> None:
    stats = KeyStats()
    assert all(hasattr(stats, attribute) for attribute, _ in (COUNTERS | GAUGES).values())
