# SPDX-License-Identifier: Apache-2.0
"""Training texts out of files: chats as the server would embed them, ads, plain lines.

chats.jsonl[.gz]     one chat a line: `messages` or `turns`, each with `role` and `content`
prompts.json         a list of strings
ads.tsv:title,text   these columns of a table with a header line, joined by ". "
lines.txt            one text a line
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from bls.brain.context.text import context_text
from bls.request import Message
from export.errors import ExportError


def read_texts(source: str) -> list[str]:
    """Every distinct text of one source, in order. Raises `texts_invalid`."""
    name, _, columns = source.partition(":")
    path = Path(name)
    readers = {".jsonl": _chats, ".json": _strings, ".tsv": _table, ".txt": _lines}
    reader = readers.get(path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix)
    if reader is None:
        raise ExportError("texts_invalid", f"{path.name}: expected .jsonl, .json, .tsv or .txt")
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as file:
            found = list(reader(file, columns.split(",")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        kind = type(error).__name__
        raise ExportError("texts_invalid", f"{path.name} cannot be read: {kind}") from None
    return list(dict.fromkeys(text for text in found if text.strip()))


def _chats(file: Iterator[str], columns: list[str]) -> Iterator[str]:
    """A chat as it opens, and as it stands half way."""
    for line in file:
        chat = json.loads(line)
        turns = chat.get("messages") or chat["turns"]
        said = [turn["content"] for turn in turns if turn["role"] == "user"]
        for count in {1, (len(said) + 1) // 2}:
            messages = [Message(role="user", content=text) for text in said[:count]]
            if messages:
                yield context_text(messages)


def _strings(file: Iterator[str], columns: list[str]) -> Iterator[str]:
    yield from map(str, json.loads("".join(file)))


def _table(file: Iterator[str], columns: list[str]) -> Iterator[str]:
    for row in csv.DictReader(file, delimiter="\t"):
        yield ". ".join(row[column] for column in columns)


def _lines(file: Iterator[str], columns: list[str]) -> Iterator[str]:
    yield from (line.rstrip("\n") for line in file)
