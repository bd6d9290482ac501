# SPDX-License-Identifier: Apache-2.0
"""Opening a database: which URLs, how it is set up, and one schema however many begin at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, func, select, text, update
from sqlalchemy.exc import IntegrityError

from bls.ads import database
from bls.ads.database import open_database, read, write
from bls.ads.migrate import migrate
from bls.ads.schema import VERSION, budgets, counters, flights, schema, seeds
from bls.errors import SkynetError
from tests.bls.ads.postgres import Postgres


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://host/name",
        "postgresql://host/name",
        "postgresql+psycopg://user:secret@host/name",
        "postgresql+psycopg://host",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite://host/x.db",
        "sqlite:///x.db?mode=ro",
    ],
)
def test_other_urls_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SkynetError) as caught:
        open_database(url)
    assert caught.value.code == "bad_setting" and "secret" not in caught.value.message


def test_a_password_comes_only_from_the_argument() -> None:
    engine = open_database("postgresql+psycopg://user@host/name", "secret")
    assert engine.url.password == "secret" and "secret" not in repr(engine)


def test_sqlite_is_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/a/b.db")
    names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")

    def pragmas(connection: Connection) -> list[object]:
        return [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]

    assert write(engine, pragmas) == ["wal", 1, 5_000, 2]
    assert write(engine, pragmas, durable=False)[3] == 1  # synced less than a second ago
    monkeypatch.setattr(database, "_SYNC_S", 0.0)
    assert write(engine, pragmas, durable=False)[3] == 2
    engine.dispose()


def test_what_was_broken_off_has_synced_nothing(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/b.db")

    def broken(connection: Connection) -> None:
        raise LookupError

    def level(connection: Connection) -> object:
        return connection.execute(text("PRAGMA synchronous")).scalar()

    with pytest.raises(LookupError):
        write(engine, broken)
    assert write(engine, level, durable=False) == 2
    assert write(engine, level, durable=False) == 1
    engine.dispose()


def test_the_schema_is_made_once_by_many(database_url: str) -> None:
    faults: list[BaseException] = []

    def start() -> None:
        engine = open_database(database_url)
        try:
            migrate(engine)
            migrate(engine)
        except BaseException as fault:
            faults.append(fault)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    engine = open_database(database_url)
    assert read(engine, lambda c: c.scalar(select(func.count()).select_from(counters))) == 1
    engine.dispose()


def test_the_schema_of_the_release_before(engine: Engine) -> None:
    """What it holds stays; the table it lacks is made."""
    write(engine, lambda c: c.execute(budgets.insert().values(advertiser="a")))
    write(engine, seeds.drop)
    write(engine, lambda c: c.execute(update(schema).values(version=1)))
    migrate(engine)
    assert read(engine, lambda c: c.scalar(select(func.count()).select_from(seeds))) == 0
    assert read(engine, lambda c: c.scalar(select(func.count()).select_from(budgets))) == 1
    assert read(engine, lambda c: c.scalar(select(schema.c.version))) == VERSION


def test_a_newer_schema_is_refused(engine: Engine) -> None:
    write(engine, lambda c: c.execute(update(schema).values(version=99)))
    with pytest.raises(SkynetError) as caught:
        migrate(engine)
    assert caught.value.code == "schema_newer"


@pytest.mark.parametrize(
    "change", [{"spent": 1_001}, {"spent": 500, "reserved": 501}, {"spent": -1}]
)
def test_the_database_itself_refuses_overspending(engine: Engine, change: dict[str, int]) -> None:
    row = {"start_ts": 0, "end_ts": 9, "budget_micros": 1_000, "spent": 0, "reserved": 0}
    write(engine, lambda c: c.execute(budgets.insert().values(advertiser="a")))
    with pytest.raises(IntegrityError):
        write(engine, lambda c: c.execute(flights.insert().values(advertiser="a", **row | change)))


def test_a_server_that_is_away(tmp_path: Path) -> None:
    engine = open_database(f"postgresql+psycopg://nobody@/name?host={tmp_path}")
    with pytest.raises(SkynetError) as caught:
        read(engine, lambda c: c.execute(text("SELECT 1")))
    assert (caught.value.code, caught.value.status) == ("ads_unavailable", 503)
    assert str(tmp_path) not in caught.value.message


def test_a_value_that_no_column_holds(postgres: Postgres) -> None:
    """The request's fault, not the server's."""
    engine = open_database(postgres.database())
    with pytest.raises(SkynetError) as caught:
        read(engine, lambda c: c.execute(text("SELECT 10 ^ 99 :: BIGINT / 0")))
    assert (caught.value.code, caught.value.status) == ("invalid_value", 400)
    engine.dispose()


def test_a_server_that_came_back(postgres: Postgres) -> None:
    """Connections in the pool are dead then; nobody notices."""
    engine = open_database(postgres.database())
    migrate(engine)
    postgres.kill()
    with pytest.raises(SkynetError, match="cannot be reached"):
        migrate(engine)
    postgres.start()
    migrate(engine)
    engine.dispose()


def test_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(os.urandom(4096))
    engine = open_database(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(SkynetError) as caught:
        migrate(engine)
    assert caught.value.code == "ads_unavailable"
    engine.dispose()


def test_another_server_of_the_same_protocol() -> None:
    """CockroachDB's `version()` is not PostgreSQL's."""
    engine = open_database("postgresql+psycopg://host/name")
    plain = create_engine("postgresql+psycopg://host/name")

    class Answers:
        def exec_driver_sql(self, statement: str) -> Answers:
            return self

        def scalar(self) -> str:
            return "CockroachDB CCL v24.1.0 (x86_64)"

    def version(made: Engine) -> object:
        dialect: Any = made.dialect
        return dialect._get_server_version_info(Answers())

    with pytest.raises(AssertionError):
        version(plain)
    assert version(engine) == (13, 0)
