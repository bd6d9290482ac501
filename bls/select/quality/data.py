# SPDX-License-Identifier: Apache-2.0
"""The labelled data in a folder: product ads, search queries, which fits which, and chats.

A pair is named by the products' and queries' own ids (`original_*_id`): its running numbers do not
count the lines of the other two files.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from bls.brain.context.text import context_text
from bls.errors import SkynetError
from bls.request import Message

PRODUCTS, QUERIES, PAIRS = "gem_products.tsv", "gem_queries.tsv", "gem_relevance.tsv"
PROMPTS, CHATS = "gem_prompts.json", "sgd_chats.jsonl.gz"

Table = list[dict[str, str]]


@dataclass(frozen=True)
class Labelled:
    """Attributes:
    products, queries: texts.
    owners: the shop of each product.
    judged: by place of the query, the label of each judged product by its place.
    prompts: what users asked an assistant, mostly about travel.
    chats: contexts of task dialogues, half way; none of them is about the products.
    """

    products: list[str]
    owners: list[str]
    queries: list[str]
    judged: dict[int, dict[int, int]]
    prompts: list[str]
    chats: list[str]


def load(folder: Path, products: int | None = None, chats: int = 300) -> Labelled:
    """Raises `bad_data` when something is missing.

    Args:
        products: take only so many, those of the labelled pairs first; None takes all.
        chats: so many, evenly from all.
    """
    try:
        pairs = _table(folder / PAIRS)
        wanted = {pair["original_product_id"] for pair in pairs}
        ads = sorted(_table(folder / PRODUCTS), key=lambda ad: ad["product_id"] not in wanted)
        ads = ads[:products]
        asked = _table(folder / QUERIES)
        prompts = [str(text) for text in json.loads((folder / PROMPTS).read_text())]
        talked = list(_chats(folder / CHATS))
    except (OSError, ValueError, KeyError, TypeError) as fault:
        kind = type(fault).__name__
        raise SkynetError("bad_data", f"The labelled data cannot be read: {kind}.") from None
    return Labelled(
        [f"{ad['ad_title']}. {ad['ad_description']}" for ad in ads],
        [ad["source"] for ad in ads],
        [unquote(one["query_text"]) for one in asked],
        _judged(pairs, ads, asked),
        prompts,
        talked[:: max(1, len(talked) // chats)][:chats],
    )


def _judged(pairs: Table, ads: Table, asked: Table) -> dict[int, dict[int, int]]:
    product = {ad["product_id"]: place for place, ad in enumerate(ads)}
    query = {one["query_id"]: place for place, one in enumerate(asked)}
    found: dict[int, dict[int, int]] = {}
    for pair in pairs:
        place = product.get(pair["original_product_id"])
        if place is not None:
            labels = found.setdefault(query[pair["original_query_id"]], {})
            labels[place] = int(pair["label"])
    return found


def _table(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _chats(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            said = [turn["content"] for turn in json.loads(line)["turns"] if turn["role"] == "user"]
            half = [Message(role="user", content=text) for text in said[: (len(said) + 1) // 2]]
            if half:
                yield context_text(half)
