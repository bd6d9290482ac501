# SPDX-License-Identifier: Apache-2.0
"""A server's name: the same after a restart, and of one process at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.ads.owner import FILE, Owner
from bls.errors import SkynetError


def test_the_name_stays_and_the_run_does_not(tmp_path: Path) -> None:
    first = Owner(tmp_path / "state")
    with pytest.raises(SkynetError) as caught:
        Owner(tmp_path / "state", wait_s=0.0)
    assert caught.value.code == "budgets_locked"
    first.close()
    second = Owner(tmp_path / "state")
    assert second.name == first.name and second.session != first.session
    second.close()


def test_a_name_that_was_changed(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("somebody else")
    with pytest.raises(SkynetError) as caught:
        Owner(tmp_path)
    assert caught.value.code == "bad_server_id"
