# SPDX-License-Identifier: Apache-2.0
"""Creatives outside the lake: the list of names never to be chosen again, the campaign database,
and the texts that an import had rewritten.

An advertiser's erasure takes the texts of all its creatives; its campaigns, which are prices and
dates, stay with the books.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.ads.store import AdStore
from bls.settings import Settings
from client.intake.kept import forget, rewrites_file
from pipelines_dagster.defs.gdpr.audit import Step
from pipelines_dagster.defs.gdpr.creatives import PLACE, IndexHook
from pipelines_dagster.defs.gdpr.subject import Kind, Subject

DATABASE, REWRITES = "creatives.database", "creatives.rewrites"
_PAGE = 1_000


def erase_creatives(settings: Settings, subject: Subject, index: IndexHook) -> Iterator[Step]:
    """A step for each place that had something to do with it. Raises `ads_unavailable`."""
    if subject.kind not in (Kind.MSG, Kind.ADV):
        return
    names = {subject.value} if subject.kind is Kind.MSG else set[str]()
    if subject.kind is Kind.MSG:
        yield Step(PLACE, removed=int(index.delete(subject.value)), note="never chosen again")
    if _exists(settings):
        engine = open_database(settings.database_url, settings.database_password)
        try:
            migrate(engine)
            store = AdStore(engine)
            names |= set(_names(store, subject))
            gone = sum(store.delete_creative(name) for name in sorted(names))
        finally:
            engine.dispose()
        _forget_pages(settings)
        yield Step(DATABASE, removed=gone)
    rewrites = forget(rewrites_file(settings.state), frozenset(names))
    if rewrites:
        yield Step(REWRITES, removed=rewrites)


def _exists(settings: Settings) -> bool:
    """Whether there is a database: asking SQLite would make one."""
    url = make_url(settings.database_url)
    if url.drivername != "sqlite":
        return True
    return Path(str(url.database)).is_file()


def _names(store: AdStore, subject: Subject) -> Iterator[str]:
    after = 0
    while subject.kind is Kind.ADV and (found := store.creatives_of(subject.value, after, _PAGE)):
        yield from (one.msg_id for one in found)
        after = found[-1].seq


def _forget_pages(settings: Settings) -> None:
    """SQLite's log still has the pages as they were, until it is cut. A server in the middle of a
    read keeps it: then its next checkpoints write over it."""
    url = make_url(settings.database_url)
    if url.drivername == "sqlite":
        with contextlib.closing(sqlite3.connect(str(url.database))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
