# SPDX-License-Identifier: Apache-2.0
"""What belongs to the subject alone is judged over every table that says whose its rows are."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines_dagster.defs.gdpr.links import links_of
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.lake.lake import Lake


def test_what_somebody_else_has_in_another_table_is_shared(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.append("silver/a", pl.DataFrame({"conv_id": ["c1", "c1"], "ctx_id": [1, 2]}))
    lake.append("silver/b", pl.DataFrame({"conv_id": ["c2"], "ctx_id": ["2"]}))
    lake.append("silver/c", pl.DataFrame({"ctx_id": [1, 2]}))
    found = links_of(lake, ["silver/a", "silver/b", "silver/c"], Subject(Kind.CONV, "c1"))
    assert found == {"ctx_id": (1,)}, "a table that names nobody says nothing"
