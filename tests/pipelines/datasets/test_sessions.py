# SPDX-License-Identifier: Apache-2.0
"""Who a session is in `silver/sessions`, by the lines that say so."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines_dagster.defs.datasets.sessions import standing

UNKNOWN = ("unknown", "", "")
HUMAN = ("human", "operator", "")
AGENT = ("agent", "operator", "")
MADE = ("synthetic", "exhaustive", "agent")


@pytest.mark.spec("PH-01")
@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([("act", UNKNOWN)], UNKNOWN),
        ([("act", UNKNOWN), ("label", HUMAN), ("act", HUMAN)], HUMAN),
        ([("label", HUMAN), ("act", UNKNOWN)], HUMAN),  # it came back after its half hour
        ([("label", HUMAN), ("label", AGENT), ("act", UNKNOWN)], AGENT),
        ([("label", HUMAN), ("label", UNKNOWN), ("act", UNKNOWN)], UNKNOWN),
        ([("label", UNKNOWN), ("label", AGENT), ("act", UNKNOWN)], AGENT),
        ([("label", MADE), ("label", UNKNOWN), ("act", HUMAN)], MADE),
        ([("import", HUMAN), ("import", HUMAN)], HUMAN),
        ([("import", UNKNOWN)], UNKNOWN),
    ],
)
def test_only_a_label_takes_a_label_back(
    lines: list[tuple[str, tuple[str, str, str]]], found: tuple[str, str, str]
) -> None:
    told = pl.LazyFrame(
        [("s", kind, *said) for kind, said in lines],
        schema=["session_id", "kind", "label", "origin", "actor"],
        orient="row",
    )
    assert standing(told).collect().rows() == [("s", *found)]
