# SPDX-License-Identifier: Apache-2.0
"""Both kinds of key store under one handle, and somebody who spoils what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bls.keys.etcd_line import b64
from bls.keys.folder import FolderStore
from bls.keys.store import KeyStore, open_store
from tests.keys.etcd_server import EtcdServer
from tests.keys.operators import PERIOD_S


class Place(Protocol):
    """Where a store keeps its keys."""

    def open(self) -> KeyStore:
        """A store of one more process."""

    def overwrite(self, key: str, content: bytes) -> None:
        """As somebody who does not ask the store."""

    def remove(self, key: str) -> None: ...


class FolderPlace:
    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self) -> KeyStore:
        return FolderStore(self._root, PERIOD_S)

    def overwrite(self, key: str, content: bytes) -> None:
        path = self._root / f"{key[1:]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        other = path.with_name("other")
        other.write_bytes(content)
        other.replace(path)

    def remove(self, key: str) -> None:
        (self._root / f"{key[1:]}.json").unlink()


class EtcdPlace:
    def __init__(self, server: EtcdServer, prefix: str) -> None:
        self._server, self._prefix = server, prefix

    def open(self) -> KeyStore:
        return open_store(f"{self._server.url}{self._prefix}")

    def overwrite(self, key: str, content: bytes) -> None:
        self._server.ask("kv/put", key=b64(self._prefix + key), value=b64(content))

    def remove(self, key: str) -> None:
        self._server.ask("kv/deleterange", key=b64(self._prefix + key))
