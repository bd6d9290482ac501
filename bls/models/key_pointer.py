# SPDX-License-Identifier: Apache-2.0
"""A version named in the key store, such as `/pred/model`: `{"folder": "...", "sha256": "..."}`.

The folder is a name below the models' root and the hash is its manifest's, so an entry can only
choose among versions that an operator has put there, and not change what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from bls.models.pointer import Pointer, Target


class KeyEntry(Protocol):
    """What is used of `bls.keys.entry.Entry`."""

    @property
    def version(self) -> int: ...

    @property
    def value(self) -> Mapping[str, Any]: ...


class KeyReader(Protocol):
    """What is used of `bls.keys.store.KeyStore`."""

    def get(self, key: str) -> KeyEntry | None: ...


class KeyPointer:
    """The live entry of `key`; `otherwise` while there is none."""

    def __init__(self, store: KeyReader, key: str, root: Path, otherwise: Pointer) -> None:
        self._store = store
        self._key = key
        self._root = root
        self._otherwise = otherwise

    def __call__(self) -> Target | None:
        """Raises what the store raises, or `ValueError` for an entry of another form."""
        entry = self._store.get(self._key)
        if entry is None:
            return self._otherwise()
        name, sha256 = entry.value.get("folder"), entry.value.get("sha256")
        if not isinstance(name, str) or not isinstance(sha256, str) or Path(name).name != name:
            raise ValueError("the entry names no folder and sha256")
        return Target(f"{name}@{entry.version}", self._root / name, sha256)
