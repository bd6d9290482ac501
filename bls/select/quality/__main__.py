# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.select.quality --data FOLDER`: the tables of docs/select.md.

FOLDER has gem_products.tsv, gem_queries.tsv, gem_relevance.tsv, gem_prompts.json and
sgd_chats.jsonl.gz.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import Checked, CreativeRecord
from bls.brain.context import files
from bls.brain.context.version import AxesVersion, of_files
from bls.errors import SkynetError
from bls.select.index import build
from bls.select.index.flat import Flat
from bls.select.index.ivfpq import IvfPq
from bls.select.index.live import LiveGeneration
from bls.select.index.params import IvfPqParams
from bls.select.index.rows import Rows
from bls.select.quality import data, floor, ranking, regret
from bls.select.quality.embedded import Embedded
from bls.settings import REPOSITORY

F32 = NDArray[np.float32]

IVFPQ = IvfPqParams(nlist=32, nprobe=16)
"""A small one: 256 codes want more products than there are, so it does worse than a full index."""


def main() -> None:
    """Print the tables; one line and status 1 where there is no data."""
    options = _options()
    try:
        labelled = data.load(options.data, options.products)
    except SkynetError as error:
        sys.exit(error.message)
    loaded = files.load()
    embed, axes = Embedded(loaded, options.kept), of_files(loaded)
    products, queries = embed(labelled.products), embed(labelled.queries)
    z_products, z_queries = axes.project(products), axes.project(queries)
    _ranking(labelled, (products, queries), (z_products, z_queries))
    prompts, chats = (axes.project(embed(some)) for some in (labelled.prompts, labelled.chats))
    _floor(labelled, z_products, z_queries, prompts, chats)
    _regret(labelled, axes, z_products, np.concatenate([z_queries, prompts]), options.floor)


def _ranking(labelled: data.Labelled, plain: tuple[F32, F32], on_axes: tuple[F32, F32]) -> None:
    (products, queries), (z_products, z_queries) = plain, on_axes
    index, _ = build.built(z_products, IVFPQ, 0, 1)
    ivfpq = IvfPq(index, z_products.astype(np.float16), IVFPQ)

    def searched(query: int) -> list[int]:
        rows, sims = ivfpq.near(z_queries[query], len(products), None)
        order: list[int] = rows[np.argsort(-sims, kind="stable")].tolist()
        return order

    print(f"{'way':<26} {'recall@10':>9} {'ndcg@10':>8} {'judged r':>9} {'judged n':>9}")
    for name, way in (
        ("MiniLM cosine, 384", ranking.by_cosine(queries, products)),
        ("P_K + LayerNorm, 128", ranking.by_cosine(z_queries, z_products)),
        ("the same, IVF-PQ + re-rank", searched),
    ):
        recall, ndcg, judged_recall, judged_ndcg = ranking.figures(labelled, way)
        print(f"{name:<26} {recall:>9.3f} {ndcg:>8.3f} {judged_recall:>9.3f} {judged_ndcg:>9.3f}")


def _floor(labelled: data.Labelled, products: F32, queries: F32, prompts: F32, chats: F32) -> None:
    print(f"\n{'floor':>5} {'relevant':>9} {'not':>6} {'queries':>8} {'prompts':>8} {'chats':>6}")
    for one in floor.shown(labelled, products, queries, prompts=prompts, chats=chats):
        print(
            f"{one.floor:>5} {one.relevant:>9.1%} {one.judged_not:>6.1%} {one.queries:>8.1%} "
            f"{one.prompts:>8.1%} {one.chats:>6.1%}"
        )


def _regret(
    labelled: data.Labelled, axes: AxesVersion, products: F32, contexts: F32, sim_min: float
) -> None:
    rows = Rows()
    for number, (text, owner) in enumerate(zip(labelled.products, labelled.owners, strict=True)):
        fields = (f"m{number}", owner, owner, text, 1, Checked.OK, "", b"", False)
        rows.add(CreativeRecord(*fields))
    made = LiveGeneration(Flat(products), rows, axes.p_k, axes=axes.served, version="flat", seq=0)
    board = regret.board_of(made, np.random.default_rng(1))
    heads = ("lambda_sem", "way", "factor", "score lost", "value lost", "short")
    print("\n{:>10} {:<11} {:>6} {:>11} {:>11} {:>6}".format(*heads))
    for lambda_sem in (0.3, 0.7):
        all_of = regret.Regret(board, products, contexts, lambda_sem=lambda_sem, floor=sim_min)
        for name, way in (("similarity", all_of.similarity), ("selector", all_of.selector)):
            for factor in regret.FACTORS:
                score, value, short = way(factor)
                print(
                    f"{lambda_sem:>10} {name:<11} {factor:>6} {score:>11.3%} {value:>11.3%} "
                    f"{short:>6.2f}",
                    flush=True,
                )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bls.select.quality", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--products", type=int, help="only so many, for a quick look")
    parser.add_argument("--floor", type=float, default=0.45, help="sim_min of the last table")
    parser.add_argument("--kept", type=Path, default=REPOSITORY / ".cache" / "select-quality")
    return parser.parse_args()


if __name__ == "__main__":
    main()
