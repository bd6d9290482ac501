# SPDX-License-Identifier: Apache-2.0
"""The serving side's billing records: erased line by line, their hashes stay (docs/settlement.md).

Of an advertiser a whole reply goes, its records and its receipt: a line cannot lose a part of
itself and still be proven. The other advertisers' part of it stays provable in the lake.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bls.events.topics import TOPICS
from bls.settlement.erasure import erase_records, seal_active
from bls.settlement.faults import Faults
from bls.settlement.reader import Reader
from bls.settlement.record import BIDS, RECEIPTS, STREAMS
from bls.settlement.segments import files
from pipelines_dagster.defs.gdpr.audit import Step
from pipelines_dagster.defs.gdpr.subject import Kind, Subject

PLACE = "ledger"
OTHERS = tuple(t.name for t in TOPICS.values() if t.billing and t.name not in STREAMS)
"""Chained streams with a writer of their own: clicks, and sessions of the shop."""
ALL = (*STREAMS, *OTHERS)
Reply = tuple[str, str]
_NAMED = {Kind.CONV: "conv_id", Kind.SESSION: "session_id"}
"""Whose lines say so themselves. Of a session charges are kept, its acts and prices never."""


def erase_ledger(folder: Path, subject: Subject, audit: str, keep: bool) -> Step | None:
    """Erase the subject from the streams in `folder`; None where there are none.

    Raises as `bls.settlement.erasure.erase_records`.
    """
    if subject.kind not in (*_NAMED, Kind.ADV) or not _any(folder):
        return None
    if keep and subject.kind is not Kind.SESSION:
        return Step(PLACE, kept=True, note="kept: records of charges (keep_billing)")
    if subject.kind in _NAMED:
        column = _NAMED[subject.kind]
        done = erase_records(
            folder,
            lambda record: record.get(column) == subject.value,
            [f'"{subject.value}"'],
            audit,
            streams=() if keep else STREAMS,
            own_writer=OTHERS,
        )
    else:
        if any(files(folder, stream) for stream in STREAMS):
            seal_active(folder)
        replies = replies_of(folder, subject.value)
        needles = [f'"{conv}"' for conv, _ in sorted(replies)] + [f'"{subject.value}"']
        done = erase_records(
            folder,
            lambda record: _is_of(record, subject.value, replies),
            needles,
            audit,
            own_writer=OTHERS,
        )
    count = done.lines.total()
    scanned = sum(len(files(folder, stream)) for stream in ALL)
    return Step(PLACE, removed=count, files=done.files, scanned=scanned, found=done.left)


def replies_of(folder: Path, advertiser: str) -> set[Reply]:
    """Replies that the advertiser took part in."""
    found = set()
    reader = Reader(folder, Faults())
    for stream in (BIDS, RECEIPTS):
        if files(folder, stream):
            for record in reader.lines(stream):
                if advertiser in _advertisers(record):
                    found.add((record["conv_id"], record["request_id"]))
    return found


def _is_of(record: dict[str, Any], advertiser: str, replies: set[Reply]) -> bool:
    """A line about one advertiser is that one's; any other line is of its reply."""
    if "advertiser" in record:
        return bool(record["advertiser"] == advertiser)
    key = (_conv(record), record.get("request_id"))
    return key in replies or advertiser in _advertisers(record)


def _conv(record: dict[str, Any]) -> Any:
    return record.get("conv_id")


def _advertisers(record: dict[str, Any]) -> list[str]:
    named = list(record.get("advertisers", ()))
    return named + [line["advertiser"] for line in record.get("lines", ())]


def _any(folder: Path) -> bool:
    return any(files(folder, stream) for stream in ALL)
