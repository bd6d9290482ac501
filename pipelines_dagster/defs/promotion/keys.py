# SPDX-License-Identifier: Apache-2.0
"""The pipelines' side of the key store: values are signed where the operator's key is at hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bls.errors import SkynetError, invalid
from bls.keys import private
from bls.keys.entry import Entry, Value
from bls.keys.folder import FolderStore
from bls.keys.refusal import RefusedError
from bls.keys.signing import sign
from bls.keys.store import KeyStore, open_store
from bls.models.model_key import ModelKey, canary_key, model_key
from pipelines_dagster.settings import PipelineSettings


@dataclass(frozen=True)
class Keys:
    """Reads and writes live values.

    Attributes:
        seen: stores that remember versions servers have had: the next one is above them.
        signer: None writes unsigned values, which count only for keys that move no money.
    """

    store: KeyStore
    seen: Sequence[KeyStore] = ()
    signer: Ed25519PrivateKey | None = None

    def get(self, key: str) -> Entry | None:
        """The live entry. Raises `bad_entry` for one that servers do not take either."""
        try:
            return self.store.get(key)
        except RefusedError as refusal:
            why = f"The live value is not to be trusted: {refusal.reason.title}."
            raise invalid("bad_entry", why) from None

    def put(self, key: str, value: Value) -> Entry:
        """Make `value` live under the next version."""
        version = 1 + max(store.newest(key) for store in (self.store, *self.seen))
        entry = Entry.of(key, version, int(time.time()), value)
        if self.signer is not None:
            entry = sign(entry, self.signer)
        self.store.put(entry)
        return entry

    def model(self, subsystem: str) -> ModelKey | None:
        """The champion that `/x/model` names. Raises `bad_entry` or `bad_model_key`."""
        entry = self.get(model_key(subsystem))
        return None if entry is None else ModelKey.of(entry.value)

    def canary(self, subsystem: str) -> ModelKey | None:
        """The challenger that is being served, if one is."""
        entry = self.get(canary_key(subsystem))
        key = None if entry is None else ModelKey.of(entry.value)
        return key if key is not None and key.share > 0 else None

    def signed_only(self, key: str) -> None:
        """Raises `no_signing_key` when a value of `key` could not be signed."""
        if self.signer is None:
            raise SkynetError(
                "no_signing_key",
                f"{key} moves money and needs SKYNET_PIPELINES_SIGNING_KEY.",
                409,
            )


def open_keys(settings: PipelineSettings) -> Keys:
    """The key store of the settings, and the signing key where one is set.

    Raises:
        SkynetError: `bad_signing_key`.
    """
    signer = private.load(Path(settings.signing_key)) if settings.signing_key else None
    serving = settings.serving
    store = open_store(serving.key_store, serving.etcd_password)
    return Keys(store, [FolderStore(serving.keys_kept)], signer)
