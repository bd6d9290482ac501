# SPDX-License-Identifier: Apache-2.0
"""Creatives without an embedding get one: a thread of its own, so that deletions never wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bls.ads.records import CreativeRecord
from bls.ads.source import AdSource
from bls.brain.context import files
from bls.brain.context.minilm import MiniLM
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.select.index.protocol import F32
from bls.select.index.stats import IndexStats

Embed = Callable[[str], F32]
"""A text to f32 [384] of unit norm. Raises `empty_text` or `bad_text`."""

_BATCH = 32


def minilm() -> Embed:
    """MiniLM on one thread. Raises `model_missing`, `model_hash_mismatch` or `model_invalid`."""
    loaded = files.load()
    model = MiniLM(loaded.model, loaded.tokenizer)
    return lambda text: model.embed(text[-LIMITS.context_chars :])


class Embedder:
    """Args:
    barred: the ids that are not worth it.
    made: told whenever something was stored.
    """

    def __init__(
        self,
        source: AdSource,
        embed: Callable[[], Embed],
        stats: IndexStats,
        barred: Callable[[], frozenset[str]],
        made: Callable[[], None],
    ) -> None:
        self._source, self._load, self._stats = source, embed, stats
        self._barred, self._made = barred, made
        self._embed: Embed | None = None
        self._hopeless: set[tuple[str, int]] = set()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, period_s: float) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(period_s,), name="index-embedder", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def step(self) -> int:
        """Embed one batch; how many were stored. Raises `ads_unavailable` and what `embed` does."""
        made = {}
        for record in self._batch():
            vector = self._of(record)
            if vector is not None:
                made[record.msg_id, record.version] = vector
        stored = self._source.put_embeddings(made) if made else 0
        self._stats.embedded += stored
        return stored

    def _batch(self) -> list[CreativeRecord]:
        """Those that wait and are worth it. Others are remembered and read past, however many
        stand before them."""
        while True:
            waiting = self._source.not_embedded(limit=_BATCH + len(self._hopeless))
            barred = self._barred()
            fresh = [one for one in waiting if (one.msg_id, one.version) not in self._hopeless]
            batch = [one for one in fresh if one.msg_id not in barred]
            self._hopeless.update(
                (one.msg_id, one.version) for one in fresh if one.msg_id in barred
            )
            if batch or not fresh:
                return batch[:_BATCH]

    def _of(self, record: CreativeRecord) -> F32 | None:
        """None for a text that cannot be embedded; it is not tried again."""
        if self._embed is None:
            self._embed = self._load()
        try:
            return self._embed(record.text)
        except SkynetError as error:
            if error.code not in ("empty_text", "bad_text"):
                raise
            self._hopeless.add((record.msg_id, record.version))
            self._stats.refusals.add(code=error.code)
            return None

    def _run(self, period_s: float) -> None:
        while not self._done.is_set():
            stored = 0
            try:
                stored = self.step()
            except Exception:  # of the database or a model file: tried again
                self._stats.faults += 1
            if stored:
                self._made()
            else:
                self._done.wait(period_s)
