# SPDX-License-Identifier: Apache-2.0
"""Explanations are of the value model that serves, also when a key names it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from bls.explain.worker import _slot
from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.models.model_key import TVE, ModelKey, model_key
from export.manifest import file_sha256
from tests.explain import tiny_tve


def test_the_champion_of_the_key_store_is_explained(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    shipped = file_sha256(tiny / "manifest.json")
    slot = _slot(Namespace(tve=tiny, keys=True))
    slot.poll()
    assert slot.current().sha256 == shipped
    other = tiny_tve.write(tmp_path / "models" / "tve" / "v2")
    manifest = other / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"tiny"', '"v2"'))
    sha256 = file_sha256(manifest)
    value = ModelKey("v2", other.as_uri(), sha256).value()
    FolderStore(tmp_path / "keys").put(Entry.of(model_key(TVE), 1, 1, value))
    again = _slot(Namespace(tve=tiny, keys=True))
    again.poll()
    assert again.current().sha256 == sha256 != shipped
    alone = _slot(Namespace(tve=tiny, keys=False))
    alone.poll()
    assert alone.current().sha256 == shipped
