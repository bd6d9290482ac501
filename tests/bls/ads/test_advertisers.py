# SPDX-License-Identifier: Apache-2.0
"""API keys of advertisers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from bls.ads import advertisers
from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.errors import SkynetError


def test_a_key_whose_commit_was_not_answered(tmp_path: Path) -> None:
    """The transaction is run again, finds its own row, and the key is right."""
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    migrate(engine)
    lost = []

    def lose(connection: object) -> None:
        if lost:
            return
        lost.append(True)
        connection.connection.commit()  # type: ignore[attr-defined]
        raise OperationalError("COMMIT", {}, OSError(), connection_invalidated=True)

    event.listen(engine, "commit", lose)
    key = advertisers.add(engine, "alpine")
    assert lost and advertisers.looks_like_key(key)
    assert advertisers.owner_of(engine, key) == "alpine"
    with pytest.raises(SkynetError) as caught:
        advertisers.add(engine, "alpine")
    assert caught.value.code == "advertiser_exists"
    engine.dispose()
