# SPDX-License-Identifier: Apache-2.0
"""A generation under hot adds, deletions, new texts and a failing index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bls.ads.records import Checked
from bls.brain.context import axes
from bls.errors import SkynetError
from bls.select.index import live
from bls.select.index.live import LiveGeneration
from bls.select.index.protocol import F32
from bls.select.index.scan import from_database, pages
from tests.select.index.ads import AXES, WIDTH, Ads, axes_of, clustered

P_K = axes_of(0)


@pytest.fixture
def embeddings() -> F32:
    return clustered(300, width=WIDTH)


@pytest.fixture
def ads(embeddings: F32) -> Ads:
    made = Ads()
    made.fill(embeddings)
    return made


@pytest.fixture
def index(ads: Ads) -> LiveGeneration:
    return from_database(ads, P_K, AXES, "auto")


def ids(index: LiveGeneration, ctx: F32, k: int = 5, **more: Any) -> list[str]:
    rows = index.search(ctx, k, **more).rows
    return [record.msg_id for row in rows if (record := index.record(int(row))) is not None]


def follow(index: LiveGeneration, ads: Ads, barred: frozenset[str] = frozenset()) -> list[str]:
    return [new for page in pages(ads, index.seq) for new in index.apply(page, barred)]


def test_the_nearest_creatives(index: LiveGeneration, embeddings: F32) -> None:
    ctx = axes.project(P_K, embeddings[17])
    hits = index.search(ctx, 300)
    sims = axes.project(P_K, embeddings) @ ctx
    assert (index.axes, index.rows, index.living, index.kind) == (AXES, 300, 300, "flat")
    assert np.allclose(hits.sims, np.sort(sims)[::-1], atol=2e-3)
    assert np.all(np.diff(hits.scores) <= 0) and hits.rows[0] == 17
    record = index.record(17)
    assert record is not None and record.msg_id == "m17" and record.embedding is None
    assert index.record(300) is None and index.record(-1) is None
    assert index.campaigns[index.campaign[17]] == record.campaign_id


def test_a_mask_made_earlier_leaves_out_what_came_since(
    ads: Ads, index: LiveGeneration, embeddings: F32
) -> None:
    allowed = np.ones(index.rows, np.bool_)
    values = np.ones(index.rows, np.float32)
    ads.put("new", embeddings[17])
    assert follow(index, ads) == ["new"]
    ctx = axes.project(P_K, embeddings[17])
    assert "new" in ids(index, ctx, 2) and index.added == 1
    assert "new" not in ids(index, ctx, 301, allowed=allowed)
    assert 300 not in index.search_scored(ctx, 0.5, values, 301).rows
    allowed[17] = False
    assert "m17" not in ids(index, ctx, 301, allowed=allowed)
    assert 17 not in index.search_scored(ctx, 0.5, values, 301, allowed).rows


def test_scores_mix_similarity_and_value(index: LiveGeneration, embeddings: F32) -> None:
    ctx = axes.project(P_K, embeddings[0])
    values = np.random.default_rng(0).random(index.rows).astype(np.float32)
    hits = index.search_scored(ctx, 0.3, values, 300)
    assert np.allclose(hits.scores, 0.3 * hits.sims + 0.7 * values[hits.rows], atol=1e-6)
    assert np.all(np.diff(hits.scores) <= 0) and len(hits.rows) == 300


@pytest.mark.spec("MRO-S-03")
@pytest.mark.parametrize("how", ["deleted", "blocked", "waiting", "barred"])
def test_what_may_not_be_chosen_is_gone_at_once(
    ads: Ads, index: LiveGeneration, embeddings: F32, how: str
) -> None:
    ctx = axes.project(P_K, embeddings[17])
    barred = frozenset[str]()
    match how:
        case "deleted":
            ads.delete("m17")
        case "blocked":
            ads.change("m17", checked=Checked.BLOCKED)
        case "waiting":
            ads.change("m17", checked=Checked.WAITING)
        case _:
            barred = frozenset({"m17"})
            ads.change("m17")
    follow(index, ads, barred)
    assert "m17" not in ids(index, ctx, 300)
    assert index.record(17) is None and not index.alive[17] and index.living == 299
    assert 17 not in index.search_scored(ctx, 1.0, np.ones(300, np.float32), 300).rows


def test_a_creative_that_may_be_chosen_again_comes_back(
    ads: Ads, index: LiveGeneration, embeddings: F32
) -> None:
    ads.change("m17", checked=Checked.BLOCKED)
    follow(index, ads)
    ads.change("m17", checked=Checked.OK)
    assert follow(index, ads) == ["m17"]
    assert ids(index, axes.project(P_K, embeddings[17]), 1) == ["m17"]


def test_another_text_takes_another_row(ads: Ads, index: LiveGeneration, embeddings: F32) -> None:
    ads.put("m17")
    follow(index, ads)
    assert index.row_of("m17") is None  # its new text has no embedding yet
    ads.put_embeddings({("m17", 2): embeddings[40]})
    assert follow(index, ads) == ["m17"]
    ctx = axes.project(P_K, embeddings[17])
    assert ids(index, axes.project(P_K, embeddings[40]), 2) == ["m40", "m17"]
    assert index.search(ctx, 1).sims[0] < 0.99
    ads.change("m17", text="a word more")
    assert follow(index, ads) == []
    row = index.row_of("m17")
    assert row is not None and (found := index.record(row)) is not None
    assert found.text == "a word more"


def test_a_deletion_counts_for_a_search_that_has_begun(
    index: LiveGeneration, embeddings: F32, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = index.main.near

    def slow(*asked: Any) -> Any:
        found = near(*asked)
        assert index.kill(["m17"]) == 1
        return found

    monkeypatch.setattr(index.main, "near", slow)
    ctx = axes.project(P_K, embeddings[17])
    assert "m17" not in ids(index, ctx, 300)


def test_an_empty_database(embeddings: F32) -> None:
    index = from_database(Ads(), P_K, AXES, "auto")
    ctx = axes.project(P_K, embeddings[0])
    assert (
        len(index.search(ctx, 3).rows)
        == len(index.search_scored(ctx, 0.5, np.empty(0, np.float32), 3).rows)
        == 0
    )


class Broken:
    """An index that raises, or gives nonsense."""

    kind = "flat"

    def __init__(self, vectors: F32, how: str) -> None:
        self._vectors, self._how = vectors, how

    @property
    def rows(self) -> int:
        return len(self._vectors)

    def vectors(self, rows: Any) -> F32:
        if self._how == "lost":
            raise OSError("the file is gone")
        return self._vectors[rows]

    def near(self, *asked: Any) -> Any:
        if self._how == "rows":
            return np.array([10**6]), np.ones(1, np.float32)
        if self._how == "cosines":
            return np.array([0]), np.full(1, np.nan, np.float32)
        raise RuntimeError("faiss says something with a path")


@pytest.mark.spec("MRO-I-05")
@pytest.mark.parametrize("how", ["raises", "rows", "cosines"])
def test_a_failing_index_is_answered_for(index: LiveGeneration, embeddings: F32, how: str) -> None:
    ctx = axes.project(P_K, embeddings[17])
    before = index.search(ctx, 5)
    index.main = Broken(axes.project(P_K, embeddings), how)
    after = index.search(ctx, 5)
    assert np.array_equal(before.rows, after.rows) and index.failures == 1 and index.broken
    index.search(ctx, 5)
    assert index.failures == 1  # not asked again


def test_no_answer_is_an_error(
    index: LiveGeneration, embeddings: F32, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = axes.project(P_K, embeddings[17])
    index.main = Broken(axes.project(P_K, embeddings), "lost")
    with pytest.raises(SkynetError) as caught:
        index.search(ctx, 5)
    assert caught.value.code == "index_failed" and caught.value.status == 503
    monkeypatch.setattr(live, "EXHAUSTIVE_MOST", 10)
    index.main = Broken(axes.project(P_K, embeddings), "raises")
    with pytest.raises(SkynetError):
        index.search(ctx, 5)
