# SPDX-License-Identifier: Apache-2.0
"""A world out of given files: real chats and real products, embedded by the served encoder."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import TypeVar

import numpy as np

from bls.errors import SkynetError, invalid
from pipelines_dagster.defs.market.creatives import dress
from pipelines_dagster.defs.market.simulate import Size
from pipelines_dagster.defs.market.world import Encode, World, text_world

T = TypeVar("T")

_TITLE_WORDS, _DESCRIPTION_WORDS = 8, 5


def world_of_files(
    chats: Path | None, ads: Path | None, size: Size, seed: int, encode: Encode | None = None
) -> World:
    """At most `size.contexts` chats and `size.ads` products, drawn by the seed.

    A creative is a product's title and the beginning of its description, dressed with an attribute,
    an offer and a call by the seed, so that its words move readers as a generated one's do.

    Args:
        encode: texts to [n, 128]; the served context encoder by default.

    Raises:
        SkynetError: `texts_missing` without both files, `texts_invalid` when one cannot be read.
    """
    if chats is None or ads is None:
        raise invalid("texts_missing", "Chats and ads are given together, or neither is.")
    rng = np.random.default_rng([seed, 128])
    talk = _some(read_chats(chats), size.contexts, rng)
    products = _some(read_products(ads), size.ads, rng)
    creatives = [dress(head, rng) for head, _ in products]
    owners = [owner for _, owner in products]
    return text_world(talk, creatives, owners, encode or _served(), rng)


def read_chats(path: Path) -> list[str]:
    """What is embedded of each chat: its user turns up to a point, as the server would see them."""
    from bls.brain.context.text import context_text  # noqa: PLC0415
    from bls.request import Message  # noqa: PLC0415

    opener = gzip.open if path.suffix == ".gz" else open
    found = []
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for line in file:
                chat = json.loads(line)
                turns = chat.get("turns") or chat["messages"]
                said = [turn["content"] for turn in turns if turn["role"] == "user"]
                messages = [Message(role="user", content=text) for text in said]
                found.append(context_text(messages[: (len(messages) + 1) // 2]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable("chats", error) from None
    return found


def read_products(path: Path) -> list[tuple[str, str]]:
    """(head of a creative, its advertiser) of every product of a table with a header line."""
    found = []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                title = row["ad_title"].split()[:_TITLE_WORDS]
                about = row["ad_description"].split()[:_DESCRIPTION_WORDS]
                found.append((f"{' '.join(title)}: {' '.join(about)}", row["brand"] or "unknown"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable("ads", error) from None
    return found


def _some(items: list[T], count: int, rng: np.random.Generator) -> list[T]:
    """`count` of the items in random order, or all of them."""
    return [items[i] for i in rng.permutation(len(items))[:count]]


def _served() -> Encode:
    from bls.brain.context.encoder import ContextEncoder  # noqa: PLC0415

    return ContextEncoder().encode


def _unreadable(what: str, error: Exception) -> SkynetError:
    return invalid("texts_invalid", f"The {what} cannot be read: {type(error).__name__}.")
