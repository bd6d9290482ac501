# SPDX-License-Identifier: Apache-2.0
"""The ledger of requests, `ops/gdpr_requests`: what was asked, and whether all of it is done.

A request is written down before anything is deleted, with the id in clear and with what belongs to
it, so that a crash at any point leaves what is needed to finish. When all is gone and proven, these
rows go too and a row with the salted hash takes their place.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipelines_dagster.defs.gdpr.predicate import Value
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.defs.gdpr.tombstones import salt_of
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.removal import clean_log, delete_rows, forget_files

TABLE = "ops/gdpr_requests"
OPEN, DONE = "open", "done"

Days = Mapping[str, tuple[str, str]]

_COLUMNS = {
    "request": pl.String,
    "state": pl.String,
    "kind": pl.String,
    "digest": pl.String,
    "subject": pl.String,
    "links": pl.String,
    "days": pl.String,
    "keep_billing": pl.Boolean,
    "at": pl.Float64,
}


@dataclass(frozen=True)
class Request:
    """`number`: `gdpr_` and 16 hex digits, the same for the same subject; `days`: see `links`."""

    number: str
    subject: Subject
    digest: str
    keep_billing: bool
    links: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    days: Days = field(default_factory=dict)


def number_of(subject: Subject, salt: str) -> str:
    return f"gdpr_{subject.digest(salt)[:16]}"


def begin(
    lake: Lake,
    subject: Subject,
    keep_billing: bool,
    links: Mapping[str, tuple[Value, ...]],
    days: Days,
) -> Request:
    """Write a request down; what an unfinished one of the same subject knew is taken over."""
    digest = subject.digest(salt_of(lake))
    number = number_of(subject, salt_of(lake))
    known: dict[str, tuple[Value, ...]] = dict(links)
    seen = dict(days)
    for before in unfinished(lake):
        if before.number == number:
            for column, values in before.links.items():
                known[column] = tuple(dict.fromkeys((*known.get(column, ()), *values)))
            for table, (low, high) in before.days.items():
                first, last = seen.get(table, (low, high))
                seen[table] = (min(low, first), max(high, last))
    request = Request(number, subject, digest, keep_billing, known, seen)
    _append(lake, request, OPEN)
    return request


def finish(lake: Lake, request: Request) -> None:
    """Note that all is done, then forget the id here too."""
    _append(lake, request, DONE)
    delete_rows(lake, TABLE, f"request = '{request.number}' AND state = '{OPEN}'")
    forget_files(lake, TABLE)
    clean_log(lake, TABLE)


def unfinished(lake: Lake) -> list[Request]:
    """Requests that are open, each once, the newest row of it."""
    kinds = {kind.title: kind for kind in Kind}
    found: dict[str, Request] = {}
    for row in history(lake):
        if row["state"] == OPEN:
            links = {name: tuple(values) for name, values in json.loads(row["links"]).items()}
            subject = Subject(kinds[row["kind"]], row["subject"])
            days = {table: (low, high) for table, (low, high) in json.loads(row["days"]).items()}
            found[row["request"]] = Request(
                row["request"], subject, row["digest"], row["keep_billing"], links, days
            )
    return list(found.values())


def history(lake: Lake) -> list[dict[str, Any]]:
    """Every row, oldest first."""
    if lake.open(TABLE) is None:
        return []
    return lake.scan(TABLE).sort("at").collect().to_dicts()


def _append(lake: Lake, request: Request, state: str) -> None:
    still = state == OPEN
    row = {
        "request": request.number,
        "state": state,
        "kind": request.subject.kind.title,
        "digest": request.digest,
        "subject": request.subject.value if still else "",
        "links": json.dumps(request.links if still else {}),
        "days": json.dumps(request.days if still else {}),
        "keep_billing": request.keep_billing,
        "at": time.time(),
    }
    lake.append(TABLE, pl.DataFrame([row], schema=_COLUMNS))
