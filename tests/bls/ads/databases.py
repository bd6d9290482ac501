# SPDX-License-Identifier: Apache-2.0
"""Databases for tests, a plugin: SQLite, and PostgreSQL where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from tests.bls.ads.postgres import BINARY, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests; each takes a database of its own."""
    if BINARY is None:
        pytest.skip("postgres is not installed: apt-get install postgresql")
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'skynet.db'}"
    return str(request.getfixturevalue("postgres").database())


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The same, with our tables."""
    engine = open_database(database_url)
    migrate(engine)
    yield engine
    engine.dispose()
