# SPDX-License-Identifier: Apache-2.0
"""What a vocabulary is called: the SHA-256 of its tokens in id order.

Two models can be blended only if id x means the same text in both. For id = 0 .. V - 1 the hash
takes the length of the token as u32 little endian, then the token in UTF-8, as the tokenizer names
it (`id_to_token`, in transformers `convert_ids_to_tokens`). An id without a token has length 0.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from export.manifest import LLMManifest

HASH_BYTES = 32


@dataclass(frozen=True)
class Vocabulary:
    """`size` is V, the width of a row of logits; `sha256` has 32 bytes."""

    size: int
    sha256: bytes

    @classmethod
    def of(cls, tokenizer: Tokenizer, size: int) -> Vocabulary:
        digest = hashlib.sha256()
        for number in range(size):
            token = (tokenizer.id_to_token(number) or "").encode()
            digest.update(len(token).to_bytes(4, "little") + token)
        return cls(size, digest.digest())

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """The vocabulary of an exported model. Raises `ExportError` without a manifest."""
        manifest = LLMManifest.load(folder, verify=False)
        return cls.of(Tokenizer.from_file(str(folder / "tokenizer.json")), manifest.vocab)
