# SPDX-License-Identifier: Apache-2.0
"""Flat and IVF-PQ against a plain matrix product."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bls.contracts import CTX
from bls.errors import SkynetError
from bls.select.index import build
from bls.select.index.bench.truth import nearest, recall
from bls.select.index.flat import Flat
from bls.select.index.ivfpq import IvfPq
from bls.select.index.params import FLAT_MOST, LARGE, IvfPqParams
from bls.select.index.protocol import F32, I64, Hits, Mask
from bls.select.index.scan import kind_of, main_of
from bls.select.index.top import best
from tests.select.index.ads import clustered, unit

ROWS, K = 10_000, 10


@pytest.fixture(scope="module")
def vectors() -> F32:
    return clustered(ROWS)


@pytest.fixture(scope="module")
def queries(vectors: F32) -> F32:
    rng = np.random.default_rng(5)
    return unit(vectors[:100] + 0.03 * rng.standard_normal((100, CTX)))


@pytest.fixture(scope="module")
def ivfpq(vectors: F32) -> IvfPq:
    params = IvfPqParams.of(ROWS)
    index, took = build.built(vectors, params)
    assert took.rows == ROWS and took.train_s > 0 and took.add_s > 0
    return IvfPq(index, vectors.astype(np.float16), params)


def top(found: tuple[I64, F32], k: int = K) -> I64:
    rows, sims = found
    return rows[best(rows, sims, k)]


def test_flat_is_exact(vectors: F32, queries: F32) -> None:
    flat = Flat(vectors)
    truth = nearest(queries, vectors, K)
    assert recall([top(flat.near(query, K, None)) for query in queries], truth) == 1.0
    assert np.array_equal(flat.vectors(np.array([3, 1])), vectors[[3, 1]])


@pytest.mark.spec("MRO-U-08")
def test_ivfpq_finds_the_nearest(ivfpq: IvfPq, vectors: F32, queries: F32) -> None:
    truth = nearest(queries, vectors, K)
    found = [top(ivfpq.near(query, K, None)) for query in queries]
    assert recall(found, truth) >= 0.9
    assert np.mean([t[0] in f for f, t in zip(found, truth, strict=True)]) >= 0.9


@pytest.mark.spec("MRO-C-03")
def test_more_cells_find_more(ivfpq: IvfPq, vectors: F32, queries: F32) -> None:
    """`python -m bls.select.index.bench` prints the time of each beside it."""
    truth, recalls = nearest(queries, vectors, K), []
    for nprobe in (1, 4, 16):
        index = IvfPq(ivfpq.index, vectors.astype(np.float16), replace(ivfpq.params, nprobe=nprobe))
        recalls.append(recall([top(index.near(query, K, None)) for query in queries], truth))
    assert recalls == sorted(recalls) and recalls[0] < recalls[-1]


def test_codes_alone_are_not_enough(ivfpq: IvfPq, vectors: F32, queries: F32) -> None:
    """Why vectors are kept: the best ten by code are not the ten nearest."""
    truth = nearest(queries, vectors, K)
    bare = [ivfpq.index.search(query[None], K)[1][0] for query in queries]
    full = [top(ivfpq.near(query, K, None)) for query in queries]
    assert recall(bare, truth) < recall(full, truth)


@pytest.mark.parametrize("share", [0.9, 0.02])
def test_a_mask_leaves_only_what_is_allowed(
    ivfpq: IvfPq, vectors: F32, queries: F32, share: float
) -> None:
    keep: Mask = np.random.default_rng(1).random(ROWS) < share
    kept = np.flatnonzero(keep)
    truth = kept[nearest(queries, vectors[keep], K)]
    for index, least in ((Flat(vectors), 1.0), (ivfpq, 0.85)):
        found = [top(index.near(query, K, keep)) for query in queries]
        assert all(keep[rows].all() for rows in found)
        assert recall(found, truth) >= least


@pytest.mark.parametrize("kept", ["all", "half", "far", "few"])
@pytest.mark.parametrize("k", [300, 1_200, 2 * ROWS])
def test_fewer_than_asked_only_where_fewer_are_left(
    ivfpq: IvfPq, vectors: F32, queries: F32, kept: str, k: int
) -> None:
    """Though one cell is looked into: the selector takes fewer for the end of the search."""
    narrow = IvfPq(ivfpq.index, vectors.astype(np.float16), IvfPqParams(ivfpq.params.nlist, 1))
    values = np.random.default_rng(4).random(ROWS).astype(np.float32)
    for query in queries[:5]:
        order = np.argsort(vectors @ query)
        keep: Mask | None = np.zeros(ROWS, np.bool_)
        keep[{"half": order[::2], "far": order[:1_500], "few": order[:400]}.get(kept, order)] = True
        left = int(np.count_nonzero(keep))
        keep = None if kept == "all" else keep
        for rows, _ in (narrow.near(query, k, keep), narrow.scored(query, 1.0, values, k, keep)):
            assert len(np.unique(rows)) == len(rows) >= min(k, left)
            assert keep is None or keep[rows].all()


@pytest.mark.parametrize("lambda_sem", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_scores_against_exhaustive(
    ivfpq: IvfPq, vectors: F32, queries: F32, lambda_sem: float
) -> None:
    """Values of a few campaigns, so many rows are worth the same."""
    rng = np.random.default_rng(2)
    values = rng.random(30).astype(np.float32)[rng.integers(0, 30, ROWS)]
    lost = []
    for query in queries[:30]:
        scores = lambda_sem * (vectors @ query) + (1 - lambda_sem) * values
        truth = np.sort(scores)[::-1][:K]
        for index in (Flat(vectors), ivfpq):
            rows, sims = index.scored(query, lambda_sem, values, K, None)
            assert len(np.unique(rows)) == len(rows)
            found = np.sort(lambda_sem * sims + (1 - lambda_sem) * values[rows])[::-1][:K]
            if isinstance(index, Flat):
                assert np.allclose(found, truth, atol=1e-5)
            lost.append(float((truth - found).mean()))
    assert np.mean(lost) <= 0.005


def test_rows_without_a_value_are_out(ivfpq: IvfPq, vectors: F32, queries: F32) -> None:
    values = np.ones(500, np.float32)
    keep = np.zeros(ROWS, np.bool_)
    keep[400:800] = True
    for index in (Flat(vectors), ivfpq):
        rows, _ = index.scored(queries[0], 0.5, values, K, keep)
        assert len(rows) and rows.min() >= 400 and rows.max() < 500
        rows, _ = index.scored(queries[0], 0.5, values, K, None)
        assert len(rows) and rows.max() < 500


def test_the_same_seed_gives_the_same_index(vectors: F32) -> None:
    params, few = IvfPqParams(16, 4), vectors[:1_500]
    one, other = (build.built(few, params, seed=3)[0] for _ in range(2))
    assert np.array_equal(one.search(vectors[:20], 50)[1], other.search(vectors[:20], 50)[1])


def test_many_cells_are_looked_up_in_a_graph(vectors: F32) -> None:
    import faiss  # noqa: PLC0415

    params = IvfPqParams(nlist=LARGE, nprobe=4)
    index = build.empty(params)
    cells = faiss.downcast_index(index.quantizer)
    assert isinstance(cells, faiss.IndexHNSWFlat)


def test_streamed_vectors_come_back(tmp_path: Path, vectors: F32) -> None:
    path = tmp_path / "vectors"
    told = list[int]()
    chunks = (vectors[at : at + 700] for at in range(0, 2_000, 700))
    rows = build.write_vectors(chunks, path, lambda step, done, of: told.append(done))
    mapped = build.map_vectors(path)
    assert rows == len(mapped) == told[-1] == 2_100
    assert np.abs(mapped.astype(np.float32) - vectors[:2_100]).max() < 1e-3
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="whole vectors"):
        build.map_vectors(path)
    path.write_bytes(b"")
    assert build.map_vectors(path).shape == (0, CTX)


def test_parameters_shrink_with_the_rows() -> None:
    assert IvfPqParams.of(10_000_000) == IvfPqParams(4096, 24, 128)
    assert IvfPqParams.of(100_000) == IvfPqParams(1024, 24, 128)
    assert IvfPqParams.of(100) == IvfPqParams(2, 2, 128)
    assert IvfPqParams.of(0).nlist == 1
    with pytest.raises(SkynetError):
        IvfPqParams(nlist=4, nprobe=5)


def test_which_kind() -> None:
    assert kind_of("auto", FLAT_MOST) == "flat" and kind_of("auto", FLAT_MOST + 1) == "ivfpq"
    assert kind_of("flat", 10**7) == "flat" and kind_of("ivfpq", 100) == "flat"
    assert kind_of("ivfpq", FLAT_MOST) == "ivfpq"
    assert main_of(np.empty((0, CTX), np.float32), "auto").rows == 0


def test_the_best_are_in_a_fixed_order() -> None:
    rows = np.array([5, 3, 9, 1, 7, 2])
    scores = np.array([1, 2, 2, 0, 2, -1], np.float32)
    assert rows[best(rows, scores, 3)].tolist() == [3, 7, 9]
    assert rows[best(rows, scores, 1)].tolist() == [3]
    assert best(rows[:0], scores[:0], 3).tolist() == []
    assert Hits(rows, scores, scores).rows is rows
