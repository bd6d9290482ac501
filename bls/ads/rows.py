# SPDX-License-Identifier: Apache-2.0
"""Rows of the database as records, and records as rows."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, update

from bls.ads.migrate import SEQ
from bls.ads.records import CampaignRecord, Checked, CreativeRecord, Status
from bls.ads.schema import counters


def campaign_record(row: Row[Any]) -> CampaignRecord:
    """Of a whole row of `campaigns`."""
    fields = dict(row._mapping)
    return CampaignRecord(**{**fields, "status": Status(fields["status"])})


def creative_record(row: Row[Any]) -> CreativeRecord:
    """Of a whole row of `creatives`."""
    fields = dict(row._mapping)
    return CreativeRecord(**{**fields, "checked": Checked(fields["checked"])})


def columns(record: CampaignRecord | CreativeRecord) -> dict[str, Any]:
    """What is stored of a record, words as plain strings."""
    fields = dataclasses.asdict(record)
    return {k: str(value) if isinstance(value, StrEnum) else value for k, value in fields.items()}


class Sequence:
    """New values of `seq` within one transaction, which they belong to if it commits.

    Making one locks the counter until then: writers follow one another, so a reader that has seen
    a value has seen all below it. Make it before anything else is read for a change.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        wanted = select(counters.c.value).where(counters.c.name == SEQ).with_for_update()
        self._before = self._value = int(connection.execute(wanted).scalar_one())

    def next(self) -> int:
        self._value += 1
        return self._value

    def keep(self) -> None:
        """Store the counter, once, at the end."""
        if self._value > self._before:
            row = update(counters).where(counters.c.name == SEQ)
            self._connection.execute(row.values(value=self._value))
