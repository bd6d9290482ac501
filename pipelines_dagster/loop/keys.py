# SPDX-License-Identifier: Apache-2.0
"""The model key of a rehearsal: written by hand, read, and put back as it was."""

from __future__ import annotations

import time

from bls.keys.entry import Entry, Value
from bls.keys.store import open_store
from bls.models.model_key import PREDICTOR, ModelKey, canary_key, model_key
from bls.settings import Settings


class RehearsalKeys:
    """`/pred/model` in the key store, unsigned. Raises what the store raises."""

    def __init__(self, settings: Settings) -> None:
        self._store = open_store(settings.key_store, settings.etcd_password)

    def crown(self, key: ModelKey) -> None:
        """Make a version the champion, without anybody's gate."""
        self._put(key.value())

    def champion(self) -> ModelKey | None:
        entry = self._store.get(model_key(PREDICTOR))
        return None if entry is None else ModelKey.of(entry.value)

    def restore(self, before: ModelKey) -> None:
        """Make `before` the champion again, and end every canary."""
        live = self.champion()
        if live is not None:
            self._put({**live.value(), "share": 0.0}, canary_key(PREDICTOR))
        if live != before:
            self._put(before.value())

    def close(self) -> None:
        self._store.close()

    def _put(self, value: Value, key: str = model_key(PREDICTOR)) -> None:
        version = self._store.newest(key) + 1
        self._store.put(Entry.of(key, version, int(time.time()), value))
