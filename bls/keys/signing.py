# SPDX-License-Identifier: Apache-2.0
"""Ed25519 signatures of entries. A server holds public keys only."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bls.errors import SkynetError
from bls.keys.entry import Entry
from bls.keys.refusal import Reason, RefusedError

_PEM_END = b"-----END PUBLIC KEY-----"


def key_id(public: Ed25519PublicKey) -> str:
    """Name of a public key: 16 hex digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def sign(entry: Entry, private: Ed25519PrivateKey) -> Entry:
    """The entry, signed."""
    signature = base64.b64encode(private.sign(entry.message)).decode()
    return dataclasses.replace(entry, key_id=key_id(private.public_key()), signature=signature)


class TrustedKeys:
    """Public keys whose signatures count."""

    def __init__(self, keys: Iterable[Ed25519PublicKey] = ()) -> None:
        self._keys = {key_id(key): key for key in keys}

    def __len__(self) -> int:
        return len(self._keys)

    def names(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def with_key(self, public: Ed25519PublicKey) -> TrustedKeys:
        """These and one more."""
        return TrustedKeys([*self._keys.values(), public])

    def verify(self, entry: Entry) -> None:
        """Raises `RefusedError` unless one of these keys signed the entry as it is."""
        if not entry.signature or not entry.key_id:
            raise RefusedError(Reason.UNSIGNED, entry.identity, entry.version)
        key = self._keys.get(entry.key_id)
        if key is None:
            raise RefusedError(Reason.UNTRUSTED, entry.identity, entry.version)
        try:
            key.verify(base64.b64decode(entry.signature, validate=True), entry.message)
        except (InvalidSignature, binascii.Error, ValueError):
            raise RefusedError(Reason.SIGNATURE, entry.identity, entry.version) from None


def load_trusted(setting: str, name: str = "params_public_keys") -> TrustedKeys:
    """Keys of the setting `name`; empty trusts nobody.

    Args:
        setting: a PEM file with one or more Ed25519 public keys, a folder of `*.pem` files, or
            keys as base64 of their 32 bytes, separated by commas.

    Raises:
        SkynetError: `bad_setting` when nothing can be read from it.
    """
    if not setting:
        return TrustedKeys()
    try:
        path = Path(setting)
        if path.is_dir():
            return TrustedKeys(key for file in sorted(path.glob("*.pem")) for key in _pem(file))
        return TrustedKeys(_pem(path) if path.is_file() else _raw(setting))
    except (OSError, ValueError):
        raise SkynetError(
            "bad_setting",
            f"SKYNET_{name.upper()} must name Ed25519 public keys: PEM files or base64.",
            500,
        ) from None


def _pem(file: Path) -> list[Ed25519PublicKey]:
    blocks = file.read_bytes().split(_PEM_END)[:-1]
    if not blocks:
        raise ValueError("no public key")
    keys = [load_pem_public_key(block + _PEM_END + b"\n") for block in blocks]
    if not all(isinstance(key, Ed25519PublicKey) for key in keys):
        raise ValueError("not an Ed25519 key")
    return keys  # type: ignore[return-value]


def _raw(text: str) -> list[Ed25519PublicKey]:
    parts = [base64.b64decode(part.strip(), validate=True) for part in text.split(",")]
    return [Ed25519PublicKey.from_public_bytes(part) for part in parts]
