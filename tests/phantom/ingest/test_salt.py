# SPDX-License-Identifier: Apache-2.0
"""A user agent is kept as a hash, with a salt that nobody else reads."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.phantom.salt import hashed, read_salt
from tests.phantom.ingest.rig import Shop, event, fault, open_shop

pytestmark = pytest.mark.spec("PH-01")


def test_a_user_agent_is_kept_as_a_salted_hash(shop: Shop) -> None:
    shop.post(
        "/v1/events",
        {"session_id": "agent", "mode": "hotel", "events": [event()]},
        **{"user-agent": "Browser of somebody 1.0"},
    )
    (line,) = [x for x in shop.events() if x["session_id"] == "agent"]
    path = shop.folder / "session.salt"
    salt = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(salt) == 32
    expected = hashlib.sha256(salt + b"Browser of somebody 1.0").hexdigest()
    assert line["user_agent"] == expected
    assert b"Browser" not in (shop.folder / "logs" / "session.events").read_bytes()


def test_the_salt_is_made_once_and_never_shared(tmp_path: Path) -> None:
    path = tmp_path / "state" / "session.salt"
    assert read_salt(path) == read_salt(path)
    assert [found.name for found in path.parent.iterdir()] == ["session.salt"]
    assert hashed(b"salt", "") == "" and hashed(b"a", "x") != hashed(b"b", "x")
    path.chmod(0o644)
    with pytest.raises(SkynetError) as caught:
        read_salt(path)
    assert caught.value.code == "bad_salt"


def test_a_salt_that_others_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / "session.salt"
    read_salt(path)
    path.chmod(0o644)
    with open_shop("127.0.0.1:1", tmp_path) as shop:
        for _ in range(2):
            assert fault(shop.tell(event()))[:2] == (503, "sessions_stalled")
        path.chmod(0o600)
        assert shop.tell(event()).is_success
