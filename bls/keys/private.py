# SPDX-License-Identifier: Apache-2.0
"""Signing keys in files. Only the operator's own machine has one; no server reads it."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bls.errors import invalid
from bls.keys.signing import key_id


def create(file: Path) -> str:
    """A new key pair in `file` (mode 600) and `file`.pub; its id. Raises `key_exists`."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key()
    try:
        _new_file(file, pem, 0o600)
        _new_file(
            public_file(file),
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            0o644,
        )
    except FileExistsError:
        raise invalid(
            "key_exists", "There is a key already; nothing was written over it."
        ) from None
    except OSError as error:
        raise invalid("key_unwritable", f"The key cannot be written: {error.strerror}.") from None
    return key_id(public)


def public_file(file: Path) -> Path:
    """Where `create` puts the public half."""
    return file.with_name(file.name + ".pub")


def load(file: Path) -> Ed25519PrivateKey:
    """The signing key in `file`. Raises `bad_signing_key`, also when others may read the file."""
    try:
        if file.stat().st_mode & 0o077:
            raise invalid("bad_signing_key", "The signing key is open to others: chmod 600 it.")
        key = load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise invalid("bad_signing_key", f"No signing key: {error.strerror}.") from None
    except (ValueError, TypeError):
        raise invalid("bad_signing_key", "The signing key is no plain PEM private key.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise invalid("bad_signing_key", "The signing key is not an Ed25519 key.")
    return key


def _new_file(file: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
