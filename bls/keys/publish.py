# SPDX-License-Identifier: Apache-2.0
"""The operator's side of a key store: a value is signed, where that is asked, and made live."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bls.errors import SkynetError, invalid
from bls.keys.entry import Entry, Value
from bls.keys.refusal import RefusedError
from bls.keys.signing import TrustedKeys, sign
from bls.keys.store import KeyStore


class Publisher:
    """Signs only what is new or was signed before: a spoilt value is never signed anew.

    Args:
        trusted: whose signatures count; None: of keys that need none.
        seen: stores that remember versions servers have had, so that the next one is above them.
    """

    def __init__(
        self, store: KeyStore, trusted: TrustedKeys | None, seen: Sequence[KeyStore] = ()
    ) -> None:
        self._store, self._trusted, self._seen = store, trusted, seen

    def live(self, key: str) -> Entry | None:
        """The live entry if its signature counts. Raises `bad_entry`."""
        try:
            entry = self._store.get(key)
            if entry is not None and self._trusted is not None:
                self._trusted.verify(entry)
        except RefusedError as refusal:
            why = f"The live value is not to be trusted: {refusal.reason.title}."
            raise invalid("bad_entry", why) from None
        return entry

    def past(self, key: str, version: int) -> Entry:
        """An entry of the past whose signature counts. Raises `no_version`, `bad_entry`."""
        for entry in self._store.history(key):
            if entry.version == version:
                try:
                    if self._trusted is not None:
                        self._trusted.verify(entry)
                except RefusedError as refusal:
                    why = f"Version {version} is not to be trusted: {refusal.reason.title}."
                    raise invalid("bad_entry", why) from None
                return entry
        raise SkynetError("no_version", f"There is no version {version}.", 404)

    def publish(self, key: str, value: Value, private: Ed25519PrivateKey | None) -> Entry:
        """Sign `value` under the next version and make it live. Raises what `put` raises."""
        version = 1 + max(store.newest(key) for store in (self._store, *self._seen))
        entry = Entry.of(key, version, int(time.time()), value)
        if private is not None:
            entry = sign(entry, private)
        self._store.put(entry)
        return entry
