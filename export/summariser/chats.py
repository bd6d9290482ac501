# SPDX-License-Identifier: Apache-2.0
"""Dialogues as the condenser gets them (`bls.prompt.split`): ids of `User: ...` lines."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.contracts import PAD, SUMMARY_WINDOW
from export.errors import ExportError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_TENTHS = {8: VALIDATION, 9: TEST}


@dataclass(frozen=True)
class Chat:
    """One dialogue; `turns` are (role, text)."""

    name: str
    turns: tuple[tuple[str, str], ...]

    @property
    def split(self) -> str:
        """By a hash of its name: the same in every run, whatever else is in the file."""
        tenth = hashlib.sha256(self.name.encode()).digest()[0] * 10 // 256
        return _TENTHS.get(tenth, TRAIN)

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.turns)


def transcript(tokenizer: Tokenizer, turns: Sequence[tuple[str, str]]) -> list[int]:
    """Ids of the turns, a line each; label, text and line break are tokenised apart."""
    texts = [part for role, text in turns for part in (f"{role.capitalize()}: ", text, "\n")]
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [token for one in encoded for token in one.ids]


def read_chats(path: Path) -> list[Chat]:
    """Dialogues of a JSONL file, gzipped or not: {"id", "turns": [{"role", "content"}]}.

    Raises `ExportError` `dataset_invalid`.
    """
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        return [_chat(json.loads(line)) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, KeyError, TypeError):
        raise ExportError("dataset_invalid", "the dialogues cannot be read") from None


def _chat(raw: dict[str, object]) -> Chat:
    turns = raw["turns"]
    if not isinstance(turns, list):
        raise TypeError("turns")
    return Chat(str(raw["id"]), tuple((str(t["role"]), str(t["content"])) for t in turns))


def windows_of(tokenizer: Tokenizer, chat: Chat) -> Iterator[tuple[list[int], str]]:
    """Each 64-token window of a dialogue (the last is shorter), and the text that follows it."""
    ids = transcript(tokenizer, chat.turns)
    for start in range(0, len(ids), SUMMARY_WINDOW):
        window = ids[start : start + SUMMARY_WINDOW]
        yield window, tokenizer.decode(ids[start + SUMMARY_WINDOW :])


def padded(rows: Sequence[Sequence[int]], width: int) -> NDArray[np.int32]:
    """int32 [n, width], right-padded with PAD."""
    out = np.full((len(rows), width), PAD, np.int32)
    for at, row in enumerate(rows):
        out[at, : len(row)] = row[:width]
    return out
