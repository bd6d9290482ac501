# SPDX-License-Identifier: Apache-2.0
"""One conversation's prompt, computed in chunks: the shared prefix once, then each row's own part.

Row 0 runs the whole of its prompt; every other row copies the KV of the shared prefix from it
and runs the rest. Cut points depend on load, results do not (chunks of >= 8 tokens).
"""

from __future__ import annotations

import numpy as np

from bls.llm.jobs import Conversation, Prefill
from bls.llm.kv_cache import KVCache
from bls.llm.prefix_store import PrefixStore
from bls.llm.session import LLMSession


class PrefillTask:
    """Call `advance` until `done`; then every row has its first logits."""

    def __init__(
        self,
        job: Prefill,
        conversation: Conversation,
        session: LLMSession,
        cache: KVCache,
        chunk_min: int,
    ) -> None:
        self.job = job
        self.conversation = conversation
        self._session = session
        self._cache = cache
        self._chunk_min = chunk_min
        self._row = 0
        self._shared = conversation.shared

    @property
    def done(self) -> bool:
        return self._row == self.conversation.rows

    def reuse(self, store: PrefixStore) -> int:
        """Fill row 0 from a stored prompt; leaves enough tokens for a full chunk."""
        prompt = self.job.rows[0]
        most = len(prompt) - self._chunk_min
        if most <= 0:
            return 0
        found = store.load(self.job.salt, prompt[:most], self._cache, self.conversation.start)
        self.conversation.filled[0] = self.conversation.reused = found
        return found

    def advance(self, chunk: int) -> int:
        """Run up to about `chunk` tokens of the current row; how many were run."""
        conversation = self.conversation
        row, filled = self._row, conversation.filled
        start = conversation.start + row
        if row > 0 and filled[row] == 0:
            self._cache.copy_row(self._cache, conversation.start, start, self._shared)
            filled[row] = self._shared
        prompt = self.job.rows[row]
        end = self._cut(filled[row], len(prompt), chunk)
        piece = np.array(prompt[filled[row] : end], np.int64)
        slots = conversation.slots
        slot = -1 if slots is None else int(slots[row])
        self._session.prefill(self._cache, start, piece, filled[row], slot)
        filled[row] = end
        self._row += end == len(prompt)
        return len(piece)

    def _cut(self, begin: int, end: int, chunk: int) -> int:
        """Where the next chunk ends: never leaves a rest shorter than the minimum."""
        cut = begin + max(chunk, self._chunk_min)
        return end if end - cut < self._chunk_min else cut
