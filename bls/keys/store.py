# SPDX-License-Identifier: Apache-2.0
"""What every key store can do, whatever holds it: a watched folder here, etcd in a cluster.

`open_store` is how the rest of the product gets one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bls.keys.entry import Entry

Stop = Callable[[], None]


class KeyStore(Protocol):
    """Entries by key. Hashes are checked by the store, signatures by who uses the value."""

    def get(self, key: str) -> Entry | None:
        """The live entry, None when there is none. Raises `RefusedError` when it cannot be one."""

    def put(self, entry: Entry) -> None:
        """Make `entry` the live one, at once and whole. Raises `stale_version` unless its version
        is above every version the store has seen of this key."""

    def history(self, key: str) -> tuple[Entry, ...]:
        """Every entry ever put that can still be read, oldest first, the live one included."""

    def newest(self, key: str) -> int:
        """The largest version the store has seen of this key, 0 for none."""

    def watch(self, key: str, changed: Callable[[], bool]) -> Stop:
        """Call `changed`, from a thread of the store, soon after the live entry of `key` changes,
        and again soon when it answers False; until `Stop` is called."""

    def names(self) -> tuple[str, ...]:
        """Every key that has a live entry or a past, sorted."""

    def close(self) -> None:
        """Stop watching."""


def open_store(setting: str | Path, password: str = "") -> KeyStore:
    """The store of the setting `keys`: a folder, or `etcd://HOST:PORT[,HOST:PORT][/PREFIX]`.

    Args:
        password: of the user in an etcd URL.

    Raises:
        SkynetError: `bad_setting` for an etcd URL that is none.
    """
    if str(setting).startswith("etcd:"):
        from bls.keys.etcd import EtcdStore  # noqa: PLC0415  (needs httpx)

        return EtcdStore(str(setting), password)
    from bls.keys.folder import FolderStore  # noqa: PLC0415  (which imports this module)

    return FolderStore(Path(setting))
