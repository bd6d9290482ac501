# SPDX-License-Identifier: Apache-2.0
"""A scripted bidder a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remote.scripted_bidder import ScriptedBidder


@pytest.fixture
def far() -> Iterator[ScriptedBidder]:
    with ScriptedBidder() as scripted:
        yield scripted
