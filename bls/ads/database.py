# SPDX-License-Identifier: Apache-2.0
"""Opens the database of campaigns and money, and runs transactions in it.

Every transaction is a function of a connection, because it may run twice: a server that asks for
a retry (deadlock, serialisation) or hangs up is tried once more. So all of them are idempotent.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bls.errors import SkynetError, invalid

T = TypeVar("T")

_BUSY_MS = 5_000
_CONNECTIONS = 8
_POOL_WAIT_S = 3.0
_TRIES = 4
_RETRY = frozenset({"40001", "40P01", "CR000"})
"""Serialisation failure, deadlock, CockroachDB's restart."""

_SERVER = {
    "connect_timeout": 2,
    "tcp_user_timeout": 5_000,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "options": "-c statement_timeout=5000 -c lock_timeout=3000 "
    "-c idle_in_transaction_session_timeout=10000",
}
_LOCK = "skynet_lock"
_READ = "skynet_read"
_DURABLE = "skynet_durable"
_LEVEL = "skynet_synchronous"
_SYNC_S = 1.0


def open_database(url: str, password: str = "") -> Engine:
    """A pool of connections to `sqlite:///PATH` or `postgresql+psycopg://[USER@]HOST[:PORT]/NAME`.

    SQLite runs with a write-ahead log and foreign keys, see `write` for what survives a power cut.
    Opening does not connect to a server; the folder of a file is made.

    Args:
        password: of the user in `url`; the only place it may come from.

    Raises:
        SkynetError: `bad_setting` for any other URL; it is never repeated in the message.
    """
    made = _checked(url)
    if made.drivername == "sqlite":
        return _sqlite(made)
    made = made.set(password=password) if password else made
    engine = create_engine(
        made,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_S,
        connect_args=dict(_SERVER),
        isolation_level="READ COMMITTED",
        hide_parameters=True,
    )
    _tell_versions_apart(engine)
    return engine.execution_options(**{_LOCK: nullcontext()})


def write(engine: Engine, work: Callable[[Connection], T], *, durable: bool = True) -> T:
    """`work` in one transaction: all of it or nothing. Raises `ads_unavailable`, `invalid_value`
    for what no column can hold, or as `work`.

    Args:
        durable: on the disk when this returns. Otherwise SQLite syncs at most once a second, as
            receipts are: the death of a process loses nothing, a power cut up to that second, and
            what came last before a pause.
            PostgreSQL always syncs.
    """
    lock = engine.get_execution_options()[_LOCK]

    def attempt() -> T:
        options = {_DURABLE: durable}
        with (
            lock,
            engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            return work(connection)

    return _tried(attempt)


def read(engine: Engine, work: Callable[[Connection], T]) -> T:
    """`work` on one snapshot (SQLite) or statement by statement; it writes nothing. As `write`."""

    def attempt() -> T:
        with engine.connect().execution_options(**{_READ: True}) as connection:
            return work(connection)

    return _tried(attempt)


def unavailable() -> SkynetError:
    """The database does not answer, or not as it should."""
    return SkynetError("ads_unavailable", "Campaigns and budgets cannot be reached now.", 503)


def _tried(attempt: Callable[[], T]) -> T:
    for last in (False,) * (_TRIES - 1) + (True,):
        try:
            return attempt()
        except IntegrityError:
            raise
        except DataError as fault:
            raise invalid("invalid_value", "The database cannot hold such a value.") from fault
        except DBAPIError as fault:
            again = fault.connection_invalidated or _state(fault) in _RETRY
            if last or not again:
                raise unavailable() from fault
            time.sleep(0.005)
        except (PoolTimeoutError, OSError) as fault:
            raise unavailable() from fault
    raise AssertionError("unreachable")


def _state(fault: DBAPIError) -> str:
    return str(getattr(fault.orig, "sqlstate", None) or "")


def _checked(url: str) -> URL:
    try:
        made = make_url(url)
    except ArgumentError:
        raise _bad("must be sqlite:///PATH or postgresql+psycopg://HOST/NAME") from None
    if made.drivername not in ("sqlite", "postgresql+psycopg"):
        raise _bad("must be sqlite:///PATH or postgresql+psycopg://HOST/NAME")
    if made.password is not None:
        raise _bad("must not hold a password; set SKYNET_DATABASE_PASSWORD")
    if not made.database or made.database == ":memory:" or made.database.startswith("file:"):
        raise _bad("must name a file or a database")
    if made.drivername == "sqlite" and (made.host or made.query):
        raise _bad("must be sqlite:///PATH, with three slashes and nothing after the path")
    return made


def _bad(why: str) -> SkynetError:
    return SkynetError("bad_setting", f"SKYNET_DATABASE {why}.", 500)


def _sqlite(url: URL) -> Engine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_S,
        connect_args={"check_same_thread": False, "isolation_level": None},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    syncs = _Syncs()
    event.listen(engine, "begin", syncs.begin)
    event.listen(engine, "commit", syncs.commit)
    return engine.execution_options(**{_LOCK: threading.Lock()})


def _prepare(connection: sqlite3.Connection, record: object) -> None:
    pragmas = ("journal_mode=WAL", "foreign_keys=ON", "secure_delete=ON")
    for pragma in (f"busy_timeout={_BUSY_MS}", *pragmas):
        connection.execute(f"PRAGMA {pragma}")


class _Syncs:
    """How a transaction begins in SQLite, and when one was on the disk last.

    A writer takes the write lock at once: two that read first and then write would deadlock. One
    with `synchronous=FULL` brings everything before it to the disk too.
    """

    def __init__(self) -> None:
        self._synced_at = float("-inf")

    def begin(self, connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(_READ, False):
            connection.exec_driver_sql("BEGIN")
            return
        late = time.monotonic() - self._synced_at >= _SYNC_S
        full = late or options.get(_DURABLE, True)
        level = "FULL" if full else "NORMAL"
        if connection.info.get(_LEVEL) != level:
            connection.exec_driver_sql(f"PRAGMA synchronous={level}")
            connection.info[_LEVEL] = level
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def commit(self, connection: Connection) -> None:
        # The event comes just before the commit, which brings to the disk what came before it.
        if connection.info.get(_LEVEL) == "FULL":
            self._synced_at = time.monotonic()


def _tell_versions_apart(engine: Engine) -> None:
    """CockroachDB speaks PostgreSQL's protocol but names itself otherwise; take it as 13."""
    dialect: Any = engine.dialect
    known = dialect._get_server_version_info

    def version(connection: Connection) -> tuple[int, ...]:
        try:
            return tuple(known(connection))
        except AssertionError:
            return (13, 0)

    dialect._get_server_version_info = version
