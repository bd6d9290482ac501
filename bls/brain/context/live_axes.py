# SPDX-License-Identifier: Apache-2.0
"""`/mro/axes/p_k`: the axes that serve, replaced while requests go on.

The key names a version as a model key does (P_K is too large for a value). It is fetched, hashed
and checked on a thread of its own; then one assignment puts it in place together with the version
before it: an index of the old axes stays usable until one of the new has been built. Whatever goes
wrong, nothing changes. Source: max_reward_optimizer 1.2, 3.1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bls.brain.context import files
from bls.brain.context.version import AxesVersion, Held, load
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.keys.live import LiveValue
from bls.keys.refusal import RefusedError
from bls.keys.signing import TrustedKeys, load_trusted
from bls.keys.store import KeyStore, open_store
from bls.models.model_key import ModelKey
from bls.models.places import Places
from bls.models.pointer import FolderPointer, Target
from bls.models.slot import ModelSlot
from bls.settings import Settings
from export.errors import ExportError

KEY = "/mro/axes/p_k"

Named = ModelKey | None


class LiveAxes:
    """`held` from any thread.

    Args:
        trusted: whose signatures count; None takes unsigned keys, whose files must have the hash
            they name either way.
        kept: remembers over a restart what was live.
        shipped: the folder whose MiniLM runs, and whose axes serve until a key names others.
    """

    def __init__(
        self,
        store: KeyStore,
        places: Places,
        log: JsonLog,
        *,
        trusted: TrustedKeys | None = None,
        kept: KeyStore | None = None,
        shipped: Path = files.FOLDER,
    ) -> None:
        """Raises what `files.load` raises of `shipped`."""
        self._store, self._kept, self._trusted = store, kept, trusted
        self._places = places
        self._minilm = files.load(shipped)
        self._shipped = FolderPointer(shipped)
        self._held: Held | None = None
        self.key: LiveValue[Named] = LiveValue(
            store, KEY, ModelKey.of, None, keys=trusted, log=log, kept=kept
        )
        self.slot: ModelSlot[Held] = ModelSlot(
            "axes", self._load, self._pointer, spare=self._shipped, log=log
        )

    @classmethod
    def open(cls, settings: Settings, log: JsonLog) -> LiveAxes:
        """The axes that a server with these settings follows. Raises `bad_setting`."""
        trusted = None
        if settings.models_public_keys:
            trusted = load_trusted(settings.models_public_keys, "models_public_keys")
        store = open_store(settings.key_store, settings.etcd_password)
        places = Places(settings.models_folder, settings.models_fetched)
        return cls(store, places, log, trusted=trusted, kept=open_store(settings.keys_kept))

    def held(self) -> Held:
        """Raises `model_missing` (503) while nothing serves."""
        return self.slot.current()

    def start(self) -> None:
        self.slot.start()

    def stop(self) -> None:
        """Stop watching; what is held stays."""
        self.slot.stop()
        self.key.close()
        for store in (self._store, self._kept):
            if store is not None:
                store.close()

    def _pointer(self) -> Target | None:
        named = self.key.current
        return self._shipped() if named is None else _target(named)

    def _load(self, target: Target) -> Held:
        """For the slot, which puts in place whatever this answers."""
        made, before = self._version(target), self._held
        if before is None:
            previous = next(self._past(made), None)
        elif before.sha256 == made.sha256:
            previous = before.previous
        else:
            previous = before.newest
        self._held = Held(made, previous)
        return self._held

    def _version(self, target: Target) -> AxesVersion:
        return load(target._replace(folder=self._places.folder(target)), self._minilm)

    def _past(self, newest: AxesVersion) -> Iterator[AxesVersion]:
        """After a start: what may have served before `newest`, the likeliest first."""
        for target in self._named_before():
            if target.sha256 != newest.sha256:
                with contextlib.suppress(ExportError, SkynetError):
                    yield self._version(target)

    def _named_before(self) -> Iterator[Target]:
        with contextlib.suppress(SkynetError):
            for entry in reversed(self._store.history(KEY)):
                with contextlib.suppress(SkynetError, RefusedError):
                    if self._trusted is not None:
                        self._trusted.verify(entry)
                    if entry.version < self.key.version:
                        yield _target(ModelKey.of(entry.value))
        shipped = self._shipped()
        if shipped is not None:
            yield shipped


def _target(named: ModelKey) -> Target:
    return Target(named.version, Path(), named.sha256, named.uri)
