# SPDX-License-Identifier: Apache-2.0
"""The board of an index version from disk, whose rows come alive one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.brain.context import axes
from bls.select.index import version
from bls.select.index.live import LiveGeneration
from bls.select.index.scan import pages
from export.manifest import MANIFEST_NAME, file_sha256
from tests.select.index.ads import AXES, WIDTH, Ads, axes_of, clustered
from tests.select.world import Ads as Campaigns
from tests.select.world import World, campaign

P_K = axes_of(0)
EMBEDDINGS = clustered(6, width=WIDTH)
DEAR = 10_000_000


@pytest.fixture
def ads() -> Ads:
    """Creatives m0 to m5 of three campaigns in turn."""
    made = Ads()
    made.fill(EMBEDDINGS, 3)
    return made


@pytest.fixture
def index(ads: Ads, tmp_path: Path) -> LiveGeneration:
    """As it is before the database has confirmed anything."""
    version.write(tmp_path, ads, P_K, AXES, "flat", version="index_1")
    return version.read(tmp_path, file_sha256(tmp_path / MANIFEST_NAME))


@pytest.fixture
def world(index: LiveGeneration) -> World:
    return World(Campaigns(campaign("c0"), campaign("c1"), campaign("c2", cpc_micros=DEAR)), index)


def follow(index: LiveGeneration, ads: Ads) -> None:
    for page in pages(ads, index.seq):
        index.apply(page, frozenset())


def test_a_version_whose_rows_are_all_dead_has_a_board(world: World) -> None:
    board = world.boards.of(AXES)
    assert len(board.values) == 6 and board.names == () and board.allowed is None
    assert world.names(axes.project(P_K, EMBEDDINGS[0])) == []


def test_rows_that_come_alive_get_their_campaigns_values(
    world: World, index: LiveGeneration, ads: Ads
) -> None:
    records = ads.creatives()
    index.apply([records[2], records[0]], frozenset())  # c2 is the first campaign to come
    world.boards.refresh()
    before = world.boards.of(AXES)
    index.apply(records[:2], frozenset())
    world.boards.refresh()
    board = world.boards.of(AXES)
    assert len(before.values) == len(board.values) == 6 and board is not before
    found = {board.names[board.row_of[index.row_of(f"m{n}")]] for n in range(3)}
    assert found == {"c0", "c1", "c2"}
    assert board.values[index.row_of("m2")] == 1
    assert board.values[index.row_of("m1")] == board.values[index.row_of("m0")] < 0.1


def test_only_living_rows_are_counted(world: World, index: LiveGeneration, ads: Ads) -> None:
    index.apply(ads.creatives()[:2], frozenset())
    world.boards.refresh()
    board = world.boards.of(AXES)
    assert dict(zip(board.names, board.creatives.tolist(), strict=True)) == {"c0": 1, "c1": 1}
    assert board.cap == 101_000, "nothing dear is alive"


def test_a_row_that_is_newer_than_the_board_is_never_anothers(
    world: World, index: LiveGeneration, ads: Ads
) -> None:
    index.apply(ads.creatives()[:1], frozenset())
    world.boards.refresh()
    follow(index, ads)
    ctx = axes.project(P_K, EMBEDDINGS[2])
    assert [(one.msg_id, one.campaign_id) for one in world.ask(ctx).chosen] in (
        [("m0", "c0")],
        [("m3", "c0")],
    )
    world.boards.refresh()
    first = world.ask(ctx).chosen[0]
    assert (first.msg_id, first.campaign_id) == ("m2", "c2")
