# SPDX-License-Identifier: Apache-2.0
"""Brings a database to this version of the schema: safe to repeat, and from two processes at once.

One transaction does it all, under a lock that only one process gets (SQLite: its write lock;
PostgreSQL: an advisory lock), so nobody sees half a schema.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from bls.ads.database import write
from bls.ads.schema import VERSION, counters, metadata, schema
from bls.errors import SkynetError

SEQ = "seq"
_LOCK = 0x536B794E  # "SkyN"


def migrate(engine: Engine) -> None:
    """Make the tables where they are missing.

    Raises:
        SkynetError: `schema_newer` where a later release has been here; `ads_unavailable`.
    """
    write(engine, _migrate)


def _migrate(connection: Connection) -> None:
    _exclude_others(connection)
    version = _version(connection)
    if version > VERSION:
        raise SkynetError("schema_newer", "The database belongs to a later release.", 500)
    if version == VERSION:
        return
    metadata.create_all(connection)  # those that are missing; version 2 added one
    if version == 0:
        connection.execute(insert(counters).values(name=SEQ, value=0))
        connection.execute(insert(schema).values(id=1, version=VERSION))
    else:
        connection.execute(update(schema).values(version=VERSION))


def _exclude_others(connection: Connection) -> None:
    """Until the end of the transaction. CockroachDB's lock does nothing, but its schema changes
    are serialised: the later process retries and finds the tables."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _version(connection: Connection) -> int:
    """0 for a database without our tables."""
    if not inspect(connection).has_table(schema.name):
        return 0
    return int(connection.scalar(select(schema.c.version)) or 0)
