# SPDX-License-Identifier: Apache-2.0
"""`ContextEncoder`: texts to axis vectors, with a cache of the embeddings used last.

The cache is keyed by a hash, so it holds no user's words; it keeps what MiniLM says, which is the
same on any axes. A vector never depends on what else was asked for in the same call.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.brain.context import files
from bls.brain.context.minilm import MiniLM
from bls.brain.context.version import NEWEST, Held, of_files
from bls.contracts import CTX
from bls.errors import invalid
from bls.limits import LIMITS

F32 = NDArray[np.float32]


class ContextEncoder:
    """Usable from several threads.

    Args:
        folder: `manifest.json`, `tokenizer.json`, `p_k.safetensors`; hashes are checked.
        cache: embeddings kept, the least recently used goes first.
        held: the axes that serve; None stays with those of `folder`.

    Attributes:
        hits, misses: texts answered from the cache, and computed.
    """

    def __init__(
        self,
        folder: Path = files.FOLDER,
        cache: int = LIMITS.context_cache,
        held: Callable[[], Held] | None = None,
    ) -> None:
        """Raises `model_missing`, `model_hash_mismatch` or `model_invalid`."""
        loaded = files.load(folder)
        self.version = loaded.version
        self.hits = 0
        self.misses = 0
        own = Held(of_files(loaded))
        self._held = held or (lambda: own)
        self._minilm = MiniLM(loaded.model, loaded.tokenizer)
        self._size = cache
        self._cache: OrderedDict[bytes, F32] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> F32:
        """Axis vectors f32 [n, 128] of unit norm. Raises `empty_text` or `bad_text`."""
        return self.answer(texts, [NEWEST] * len(texts))[0]

    def answer(self, texts: Sequence[str], axes: Sequence[int]) -> tuple[F32, NDArray[np.uint64]]:
        """Axis vectors f32 [n, 128] and the axes each is on, u64 [n].

        Args:
            axes: `SERVED` of a version that is held, for each text; 0 for the newest, which is the
                same one for the whole call.

        Raises:
            SkynetError: `axes_unknown`, `model_missing`, `empty_text` or `bad_text`.
        """
        held = self._held()
        out = np.empty((len(texts), CTX), np.float32)
        served = np.empty(len(texts), np.uint64)
        for row, (text, asked) in enumerate(zip(texts, axes, strict=True)):
            version = held.named(asked)
            out[row] = version.project(self.embedding(text))
            served[row] = version.served
        return out, served

    def vector(self, text: str) -> F32:
        """One axis vector f32 [128], on the newest axes."""
        return self._held().newest.project(self.embedding(text))

    def embedding(self, text: str) -> F32:
        """MiniLM's f32 [384], read-only: the same object while it is in the cache."""
        text = text[-LIMITS.context_chars :]
        try:
            key = hashlib.blake2b(text.encode(), digest_size=16).digest()
        except UnicodeEncodeError:
            raise invalid("bad_text", "The text is not valid Unicode.", "text") from None
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
                self.hits += 1
                return found
        made = self._minilm.embed(text)
        made.flags.writeable = False
        return self._keep(key, made)

    def _keep(self, key: bytes, made: F32) -> F32:
        with self._lock:
            self.misses += 1
            kept = self._cache.setdefault(key, made)
            while len(self._cache) > self._size:
                self._cache.popitem(last=False)
            return kept
