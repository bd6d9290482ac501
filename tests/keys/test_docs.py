# SPDX-License-Identifier: Apache-2.0
"""docs/params.md and docs/keys.md name everything an operator can meet."""

from __future__ import annotations

from pathlib import Path

from bls.brain.params import MpcParams
from bls.keys import stats
from bls.keys.refusal import Reason
from bls.keys.stats import COUNTERS, GAUGES, KeyStats
from bls.models import models
from bls.models import stats as slots
from client.commands.key_store import MODEL_KEYS
from client.commands.keys import keys

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "params.md").read_text(encoding="utf-8")
KEYS = (DOCS / "keys.md").read_text(encoding="utf-8")


def test_fields_reasons_and_series_are_there() -> None:
    for name in (*MpcParams.model_fields, *(reason.title for reason in Reason)):
        assert f"`{name}`" in PAGE
    for series in (*COUNTERS, *GAUGES):
        assert series in PAGE


def test_series_are_of_the_totals() -> None:
    stats = KeyStats()
    assert all(hasattr(stats, attribute) for attribute, _ in (COUNTERS | GAUGES).values())


def test_keys_commands_and_series_are_there() -> None:
    for name in (*MODEL_KEYS, *(f"skynet keys {command}" for command in keys.commands)):
        assert name in KEYS
    canary = "orch_pred_canary"
    of_canary = (models, slots, stats)
    series = {name for one in of_canary for name in (*one.counters(canary), *one.gauges(canary))}
    for name in series:
        assert name in KEYS or f"`{name.removeprefix(canary)}`" in KEYS, name
