# SPDX-License-Identifier: Apache-2.0
"""The two keys of a served model, watched: which version is the champion, which the canary.

A champion key that is removed or spoilt changes nothing. A canary key that is removed, or whose
share is 0, ends the canary. Source: offline_orchestration 2.2.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bls.keys.live import LiveValue, Log
from bls.keys.signing import TrustedKeys, load_trusted
from bls.keys.store import KeyStore, open_store
from bls.models.model_key import ModelKey, canary_key, model_key
from bls.models.pointer import Pointer, Target
from bls.settings import Settings

Named = ModelKey | None


class ModelKeys:
    """Of one subsystem (`pred`, `tve`).

    Args:
        trusted: whose signatures count; None takes unsigned keys: their artefacts must have the
            hash they name either way.
        kept: remembers the champion over a restart, see `LiveValue`.
    """

    def __init__(
        self,
        store: KeyStore,
        subsystem: str,
        log: Log,
        trusted: TrustedKeys | None = None,
        kept: KeyStore | None = None,
    ) -> None:
        self.subsystem = subsystem
        self.champion: LiveValue[Named] = LiveValue(
            store, model_key(subsystem), _read, None, keys=trusted, log=log, kept=kept
        )
        self.canary: LiveValue[Named] = LiveValue(
            store, canary_key(subsystem), _read, None, keys=trusted, log=log, removable=True
        )
        self._stores = [store, *([kept] if kept is not None else [])]

    @classmethod
    def open(cls, settings: Settings, subsystem: str, log: Log, remember: bool = True) -> ModelKeys:
        """The keys that a server with these settings follows. Raises `bad_setting`."""
        trusted = None
        if settings.models_public_keys:
            trusted = load_trusted(settings.models_public_keys, "models_public_keys")
        password = settings.etcd_password
        store = open_store(settings.key_store, password)
        kept = open_store(settings.keys_kept) if remember else None
        return cls(store, subsystem, log, trusted, kept)

    def close(self) -> None:
        """Stop watching, and close the stores."""
        self.champion.close()
        self.canary.close()
        for store in self._stores:
            store.close()

    def champion_or(self, otherwise: Pointer) -> Pointer:
        """The champion, or what `otherwise` says while no key was ever seen."""

        def pointer() -> Target | None:
            named = self.champion.current
            return otherwise() if named is None else _target(named)

        return pointer

    def challenger(self) -> ModelKey | None:
        """The canary that has a share."""
        named = self.canary.current
        return named if named is not None and named.share > 0 else None

    def challenging(self) -> Target | None:
        """A `Pointer` at the canary."""
        named = self.challenger()
        return None if named is None else _target(named)


def _read(value: Mapping[str, Any]) -> ModelKey:
    return ModelKey.of(value)


def _target(named: ModelKey) -> Target:
    return Target(named.version, Path(), named.sha256, named.uri)
