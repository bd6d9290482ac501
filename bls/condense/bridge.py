# SPDX-License-Identifier: Apache-2.0
"""From the served LLM's tokens to the summariser's and back.

With one tokenizer for both (by the hash of `tokenizer.json`) ids pass as they are; with two, they
go through text, and a window whose text has more than 64 of the other's tokens loses its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from bls.condense.spelling import Spelling
from bls.contracts import SUMMARY_WINDOW
from bls.errors import SkynetError
from export.manifest import file_sha256

TOKENIZER = "tokenizer.json"


class Bridge:
    """`made_for` is the SHA-256 of the LLM's tokenizer."""

    def __init__(self, llm: Path, summariser: Path) -> None:
        """Folders with a `tokenizer.json`. Raises `model_missing`."""
        self.made_for = _hash(llm)
        self._llm = _open(llm)
        self._other = None if _hash(summariser) == self.made_for else _open(summariser)
        self.spelling = Spelling.of(self._llm)

    def to_summariser(self, window: Sequence[int]) -> list[int]:
        """At most 64 ids of the summariser's tokenizer."""
        if self._other is None:
            return list(window)
        ids: list[int] = self._other.encode(self.text(window), add_special_tokens=False).ids
        return ids[:SUMMARY_WINDOW]

    def to_llm(self, summary: Sequence[int]) -> list[int]:
        """Ids of the LLM's tokenizer, as many as they are."""
        if self._other is None:
            return list(summary)
        return self.ids(str(self._other.decode(list(summary))))

    def text(self, ids: Sequence[int]) -> str:
        return str(self._llm.decode(list(ids), skip_special_tokens=False))

    def ids(self, text: str) -> list[int]:
        """As plain text: what looks like a control token is none."""
        ids: list[int] = self._llm.encode(text, add_special_tokens=False).ids
        return ids


def _hash(folder: Path) -> str:
    try:
        return file_sha256(folder / TOKENIZER)
    except OSError:
        raise SkynetError("model_missing", "A tokenizer is not there.", 500) from None


def _open(folder: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str((folder / TOKENIZER).read_text(encoding="utf-8"))
    except Exception:  # the library raises bare exceptions with paths in them
        raise SkynetError("model_invalid", "A tokenizer cannot be read.", 500) from None
    tokenizer.encode_special_tokens = True
    return tokenizer
