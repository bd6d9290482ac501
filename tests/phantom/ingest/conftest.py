# SPDX-License-Identifier: Apache-2.0
"""One scorer and one gateway a module: a test takes sessions of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.phantom.ingest.rig import Shop, open_shop
from tests.phantom.ingest.scorer import Scorer


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer() as started:
        yield started


@pytest.fixture(autouse=True)
def _talkative(request: pytest.FixtureRequest) -> None:
    """What a test told the scorer ends with it."""
    if "scorer" in request.fixturenames or "shop" in request.fixturenames:
        found = request.getfixturevalue("scorer")
        found.says, found.pause_s = 0.25, 0.0


@pytest.fixture(scope="module")
def shop(scorer: Scorer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(scorer.address, tmp_path_factory.mktemp("shop")) as opened:
        yield opened
