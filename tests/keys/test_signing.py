# SPDX-License-Identifier: Apache-2.0
"""Keys in files and settings: what is read, what is refused."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bls.errors import SkynetError
from bls.keys import private
from bls.keys.signing import TrustedKeys, key_id, load_trusted

PUBLIC = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
SECRET = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()


def test_a_new_pair_signs_and_is_trusted(tmp_path: Path) -> None:
    file = tmp_path / "params.key"
    name = private.create(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert key_id(private.load(file).public_key()) == name
    assert load_trusted(str(private.public_file(file))).names() == (name,)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "params.key"
    private.create(file)
    before = file.read_bytes()
    with pytest.raises(SkynetError) as caught:
        private.create(file)
    assert caught.value.code == "key_exists" and file.read_bytes() == before
    with pytest.raises(SkynetError) as caught:
        private.create(tmp_path / "none" / "params.key")
    assert caught.value.code == "key_unwritable"


@pytest.mark.parametrize("kind", ["missing", "open to others", "not PEM", "another kind", "public"])
def test_what_cannot_sign(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "params.key"
    content = {
        "not PEM": b"secret",
        "another kind": generate_private_key(SECP256R1()).private_bytes(*SECRET),
        "public": Ed25519PrivateKey.generate().public_key().public_bytes(*PUBLIC),
    }
    if kind != "missing":
        private.create(file)
        file.write_bytes(content.get(kind, file.read_bytes()))
        file.chmod(0o640 if kind == "open to others" else 0o600)
    with pytest.raises(SkynetError) as caught:
        private.load(file)
    assert caught.value.code == "bad_signing_key" and str(tmp_path) not in caught.value.message


def test_trust_by_file_folder_and_base64(tmp_path: Path) -> None:
    keys = [Ed25519PrivateKey.generate().public_key() for _ in range(3)]
    names = {key_id(key) for key in keys}
    many = tmp_path / "many"
    many.write_bytes(b"# ours\n" + b"\n".join(key.public_bytes(*PUBLIC) for key in keys))
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, key in enumerate(keys):
        (folder / f"{number}.pem").write_bytes(key.public_bytes(*PUBLIC))
    (folder / "README").write_text("not a key")
    raw = ", ".join(base64.b64encode(key.public_bytes_raw()).decode() for key in keys)
    for setting in (str(many), str(folder), raw):
        assert set(load_trusted(setting).names()) == names
    assert len(load_trusted("")) == 0 and len(TrustedKeys().with_key(keys[0])) == 1


@pytest.mark.parametrize("kind", ["nothing there", "short", "private", "another kind", "no key"])
def test_settings_that_name_no_public_key(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key.pem"
    content = {
        "private": Ed25519PrivateKey.generate().private_bytes(*SECRET),
        "another kind": generate_private_key(SECP256R1()).public_key().public_bytes(*PUBLIC),
        "no key": b"",
    }
    if kind in content:
        file.write_bytes(content[kind])
    setting = "AAAA" if kind == "short" else str(file)
    with pytest.raises(SkynetError) as caught:
        load_trusted(setting)
    assert caught.value.code == "bad_setting"
    assert "SKYNET_PARAMS_PUBLIC_KEYS" in caught.value.message
