# SPDX-License-Identifier: Apache-2.0
"""When everything runs and when it must be done, once: schedules, deadlines, limits. Times are UTC.

Source: offline_orchestration 2.2, 3 and appendix A.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

RETRY = dg.RetryPolicy(max_retries=2, delay=300)
"""Of every step. A gate that refuses is no failure of a step and is not tried again."""

AT_LEAST_EVERY = timedelta(hours=24)
NEW_ROWS = 1_000_000
"""Training starts at so many new bronze rows, or this long after the last one."""


@dataclass(frozen=True)
class Timetable:
    """A job and its hour.

    Attributes:
        cron: five fields, UTC.
        finish: after its hour, the job must be done; None: only its assets' freshness is watched.
        pool: runs of the same pool never overlap; "" for one that may.
    """

    job: str
    cron: str
    finish: timedelta | None
    pool: str
    what: str


NIGHTLY = Timetable(
    "nightly", "0 0 * * *", timedelta(hours=6), "training", "everything in order, up to the keys"
)
SILVER = Timetable("silver", "20 * * * *", None, "silver", "windows, pairs and labels of the hour")
INDEX = Timetable(
    "index", "0 4 * * *", timedelta(hours=2), "training", "the index of creatives, after the axes"
)
INVOICES = Timetable(
    "invoices", "0 3 * * *", timedelta(hours=1), "", "bills of the day that has closed"
)
RETENTION = Timetable(
    "retention", "0 2 * * *", timedelta(minutes=30), "", "partitions past their time, requests"
)
LINEAGE = Timetable(
    "lineage", "30 6 * * *", timedelta(hours=1), "", "the way back of every live model"
)
TUNER = Timetable(
    "tuner", "0 7 * * 0", timedelta(minutes=45), "training", "horizon and risk of the controller"
)
LORA = Timetable("lora", "0 8 * * 3", timedelta(hours=2), "training", "adapters from click pairs")

TIMETABLE = (NIGHTLY, SILVER, INDEX, INVOICES, RETENTION, LINEAGE, TUNER, LORA)
NEW_PAIRS = 10_000
"""Adapters are trained at so many new click pairs, besides their weekly hour."""

TRAINING = "training"
"""The job that the sensor for new rows starts."""
CANARY = "canary"
"""The job that the sensor for versions past their gate starts; also its pool."""
CANARY_MOST = timedelta(hours=18)
"""A canary watches for six hours by default; any other run ends after `instance.yaml`'s limit."""


@dataclass(frozen=True)
class Due:
    """One tick that has a deadline."""

    began: datetime
    deadline: datetime


def last_due(entry: Timetable, now: datetime) -> Due | None:
    """The last tick of a daily or weekly job whose deadline has passed; None without a deadline."""
    if entry.finish is None:
        return None
    minute, hour, _, _, weekday = entry.cron.split()
    at = now.astimezone(UTC).replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    while at + entry.finish > now or (weekday != "*" and at.isoweekday() % 7 != int(weekday)):
        at -= timedelta(days=1)
    return Due(at, at + entry.finish)
