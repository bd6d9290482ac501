# SPDX-License-Identifier: Apache-2.0
"""The figures of `python -m bls.select.quality`, on data small enough to count by hand."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from bls.brain.context import files
from bls.brain.context.version import of_files
from bls.errors import SkynetError
from bls.select.quality import data, floor, ranking, regret
from bls.select.quality.embedded import Embedded
from bls.settings import REPOSITORY
from tests.select.world import Exact, unit

REAL = Path(os.environ.get("LABELLED_DATA", REPOSITORY.parent / "shared" / "data"))


def table(path: Path, *rows: dict[str, object]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three products, two queries; the running numbers of the pairs say nothing."""
    ads = [
        {"product_id": n, "ad_title": f"T{n}", "ad_description": f"D{n}", "source": "shop"}
        for n in (50, 60, 70)
    ]
    table(tmp_path / data.PRODUCTS, *ads)
    asked = [{"query_id": 9, "query_text": "salt %26 pepper"}, {"query_id": 4, "query_text": "x"}]
    table(tmp_path / data.QUERIES, *asked)
    pairs = [(70, 9, 1), (50, 9, 0), (60, 4, 0)]
    table(
        tmp_path / data.PAIRS,
        *(
            {"product_idx": 2_000, "original_product_id": p, "original_query_id": q, "label": label}
            for p, q, label in pairs
        ),
    )
    (tmp_path / data.PROMPTS).write_text(json.dumps(["Plan a trip"]))
    turns = [{"role": "user", "content": "A table"}, {"role": "assistant", "content": "Where?"}]
    with gzip.open(tmp_path / data.CHATS, "wt") as file:
        file.write(json.dumps({"turns": turns}) + "\n")
    return tmp_path


def test_pairs_go_by_the_products_own_ids(folder: Path) -> None:
    found = data.load(folder)
    assert found.products == ["T50. D50", "T60. D60", "T70. D70"]
    assert found.queries[0] == "salt & pepper"
    assert found.judged == {0: {2: 1, 0: 0}, 1: {1: 0}}
    assert (found.prompts, found.chats, found.owners) == (
        ["Plan a trip"],
        ["A table"],
        ["shop"] * 3,
    )
    (folder / data.PAIRS).unlink()
    with pytest.raises(SkynetError) as raised:
        data.load(folder)
    assert raised.value.code == "bad_data" and str(folder) not in raised.value.message


def test_recall_and_ndcg_by_hand(folder: Path) -> None:
    labelled = data.load(folder)
    assert ranking.figures(labelled, lambda query: [2, 0, 1]) == (1.0, 1.0, 1.0, 1.0)
    second = ranking.figures(labelled, lambda query: [1, 2, 0])
    assert second == pytest.approx((1.0, 1 / np.log2(3), 1.0, 1.0))
    eleventh = ranking.figures(labelled, lambda query: [1] * 10 + [2])
    assert eleventh == pytest.approx((0.0, 0.0, 1.0, 1.0))


def test_shares_above_a_floor(folder: Path) -> None:
    products = np.eye(3, 128, dtype=np.float32)
    queries = np.array([[0.2, 0, 0.5], [0, 0.1, 0]], np.float32) @ products
    far = np.zeros((1, 128), np.float32)
    shown = floor.shown(data.load(folder), products, queries, prompts=far, chats=products[:1])
    by_floor = {one.floor: one for one in shown}
    assert by_floor[0.15] == (0.15, 1.0, 0.5, 0.5, 0.0, 1.0)
    assert by_floor[0.55].relevant == 0.0


def test_the_selector_loses_nothing_and_the_nearest_do() -> None:
    generator = np.random.default_rng(1)
    vectors, contexts = unit(generator, 400), unit(generator, 10)
    exact = Exact(vectors, [f"c{n % 40}" for n in range(400)])
    board = regret.board_of(exact, generator)
    made = regret.Regret(board, vectors, contexts, lambda_sem=0.3, floor=0.0)
    assert made.selector(1) == pytest.approx((0, 0, 0), abs=1e-6)
    assert made.similarity(1).value > 0.1
    assert made.similarity(100) == pytest.approx((0, 0, 0), abs=1e-6)


@pytest.mark.skipif(not (REAL / data.PAIRS).is_file(), reason="needs the labelled data")
def test_the_axes_rank_real_pairs_nearly_as_well_as_minilm(tmp_path: Path) -> None:
    """A part of the pairs; all of them: docs/select.md."""
    labelled, loaded = data.load(REAL, products=120, chats=1), files.load()
    embed, axes = Embedded(loaded, tmp_path), of_files(loaded)
    products, queries = embed(labelled.products), embed(labelled.queries)
    assert (embed(labelled.products) == products).all() and len(list(tmp_path.iterdir())) == 2
    plain = ranking.figures(labelled, ranking.by_cosine(queries, products))
    z_queries, z_products = axes.project(queries), axes.project(products)
    ours = ranking.figures(labelled, ranking.by_cosine(z_queries, z_products))
    assert ours.recall > plain.recall - 0.03 and ours.ndcg > plain.ndcg - 0.03
