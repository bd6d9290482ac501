# SPDX-License-Identifier: Apache-2.0
"""Ids that belong to the subject alone: what was derived from its rows is found by them.

Looked up before anything is deleted, and kept with the request until all of it is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import polars as pl

from pipelines_dagster.defs.gdpr.predicate import Keys, Value, anything, rows
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.lake.lake import PARTITION, Lake

_OWNED: dict[Kind, tuple[str, ...]] = {
    Kind.CONV: ("ctx_id", "ctx_key"),
    Kind.ADV: ("ad_id", "ad_key", "msg_id"),
    Kind.MSG: ("ad_id", "ad_key"),
    Kind.CTX: ("request_id",),
    Kind.SESSION: (),
}
_REQUEST = "request_id"
_EVER = "9999-12-31"


def links_of(lake: Lake, tables: Iterable[str], subject: Subject) -> dict[str, tuple[Value, ...]]:
    """Column -> values that no row of anybody else has, in any table that says whose a row is. A
    series of a reply is its two ids in one (`conv_id:request_id`), exactly those of the
    conversation's replies."""
    found: defaultdict[str, set[Value]] = defaultdict(set)
    keys, known = Keys(subject), []
    for table in tables:
        frame = lake.scan(table)
        schema = frame.collect_schema()
        own = rows(keys, schema)
        if own is None:
            continue
        for column in _OWNED[subject.kind]:
            if column in schema:
                known.append((frame, own, column))
                found[column] |= _distinct(frame.filter(own), column)
        if subject.kind is Kind.CONV and _REQUEST in schema:
            replies = frame.filter(own).select(pl.col(_REQUEST).unique()).collect()
            for reply in replies[_REQUEST].drop_nulls().to_list():
                found["conv_id"].add(f"{subject.value}:{reply}")
    for frame, own, column in known:
        found[column] -= _taken(frame.filter(~own), column, found[column])
    return {column: tuple(sorted(values, key=str)) for column, values in found.items() if values}


def days_of(
    lake: Lake, tables: Iterable[str], subject: Subject, links: Mapping[str, tuple[Value, ...]]
) -> dict[str, tuple[str, str]]:
    """Table -> first and last day with rows of the subject: training sets made of these tables and
    days saw it, also where they name nobody. Tables without days have seen every day."""
    found = {}
    for table in tables:
        frame = lake.scan(table)
        schema = frame.collect_schema()
        wanted = anything(Keys(subject, links), schema, table)
        if wanted is None:
            continue
        day = pl.col(PARTITION) if PARTITION in schema else pl.lit("")
        own = frame.filter(wanted).select(low=day.min(), high=day.max(), count=pl.len()).collect()
        low, high, count = own.row(0)
        if count:
            found[table] = (low, high or _EVER)
    return found


def _distinct(frame: pl.LazyFrame, column: str) -> set[Value]:
    return set(frame.select(pl.col(column).unique()).collect()[column].drop_nulls().to_list())


def _taken(others: pl.LazyFrame, column: str, values: set[Value]) -> set[Value]:
    """Those of the values that others have too; a number may be a text there."""
    if not values:
        return set()
    text = pl.col(column).cast(pl.String)
    same = _distinct(others.filter(text.is_in([str(value) for value in values])), column)
    names = {str(value) for value in same}
    return {value for value in values if str(value) in names}
