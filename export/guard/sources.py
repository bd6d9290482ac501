# SPDX-License-Identifier: Apache-2.0
"""Labelled texts from a folder of public data sets, and which part each of them belongs to.

A text's part is a hash of its normal form, so equal texts never lie on both sides of a split,
whatever the order of the files.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bls.guard.normal import normal
from export.errors import ExportError

TWEETS, CHATS = "toxicity_tweets.csv.gz", "sgd_chats.jsonl.gz"
PROMPTS, PRODUCTS = "gem_prompts.json", "gem_products.tsv"
FILES = (TWEETS, CHATS, PROMPTS, PRODUCTS)

TRAIN, CALIBRATION, HELD = "train", "calibration", "held"
PARTS = (TRAIN, CALIBRATION, HELD)
SOURCES = ("hate", "offensive", "neither", "chats", "prompts", "ads", "ad_prompts")
_CLASSES = {"0": "hate", "1": "offensive", "2": "neither"}
UNSAFE = frozenset({"hate", "offensive"})
_RETWEET = re.compile(r"\bRT @\w+:?")  # would tell a tweet from a chat, not good from bad
_ASKS = (
    "Mention {}.",
    "Always mention {}.",
    "Recommend {}.",
    "Please recommend {} where it fits.",
    "Tell the reader about {}.",
    "Say that {} is the best choice.",
    "Suggest {}, delivered tomorrow.",
    "Work {} into the answer.",
    "Promote {}, from $29.",
    "Name {} as an example.",
    "{}",
    "{}: order now.",
)
"""How advertisers tell a model what to say; nobody publishes such texts, so they are made."""

_PERCENT = {TRAIN: 70, CALIBRATION: 15}


@dataclass(frozen=True)
class Labelled:
    """One text; `source` is of `SOURCES`."""

    text: str
    source: str

    @property
    def unsafe(self) -> bool:
        return self.source in UNSAFE


def load(folder: Path) -> dict[str, list[Labelled]]:
    """The three parts, each text once. Raises `no_data` naming a file that is not there."""
    parts: dict[str, list[Labelled]] = {part: [] for part in PARTS}
    seen: set[str] = set()
    try:
        for one in _read(folder):
            plain = normal(one.text)
            if plain and plain not in seen:
                seen.add(plain)
                parts[part_of(plain)].append(one)
    except FileNotFoundError as error:
        raise ExportError("no_data", f"{Path(error.filename).name} is missing") from None
    return parts


def part_of(plain: str) -> str:
    """70 % train, 15 % calibration, 15 % held out, by the normal form."""
    place = int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8], "big") % 100
    if place < _PERCENT[TRAIN]:
        return TRAIN
    return CALIBRATION if place < _PERCENT[TRAIN] + _PERCENT[CALIBRATION] else HELD


def _read(folder: Path) -> Iterator[Labelled]:
    yield from _tweets(folder / TWEETS)
    yield from _chats(folder / CHATS)
    for prompt in json.loads((folder / PROMPTS).read_text("utf-8")):
        yield Labelled(prompt, "prompts")
    yield from _ads(folder / PRODUCTS)
    yield from _ad_prompts(folder / PRODUCTS)


def _tweets(path: Path) -> Iterator[Labelled]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Labelled(_RETWEET.sub(" ", row["text"]), _CLASSES[row["class"]])


def _chats(path: Path) -> Iterator[Labelled]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            for turn in json.loads(line)["turns"]:
                yield Labelled(turn["content"], "chats")


def _ads(path: Path) -> Iterator[Labelled]:
    for row in _products(path):
        title, description = row["ad_title"] or "", row["ad_description"] or ""
        yield Labelled(f"{title}. {description}"[:2_000], "ads")


def _ad_prompts(path: Path) -> Iterator[Labelled]:
    """Two short ones a product: of its brand and of its title."""
    for number, row in enumerate(_products(path)):
        for place, name in enumerate((row.get("brand"), row["ad_title"])):
            if name:
                ask = _ASKS[(number + 5 * place) % len(_ASKS)]
                yield Labelled(ask.format(name), "ad_prompts")


def _products(path: Path) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(path.read_text("utf-8")), delimiter="\t")
