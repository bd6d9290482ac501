# SPDX-License-Identifier: Apache-2.0
"""Publishing adapters: what is named is checked as the server checks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.keys.private import create, public_file
from bls.keys.store import open_store
from bls.llm.adapters_key import LORA_KEY, Adapters
from bls.settings import Settings
from export.errors import ExportError
from export.lora.publish import publish
from tests.bls.adapters import number_of, write_adapter


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path / "state")


@pytest.fixture
def version(settings: Settings) -> Path:
    settings.models_folder.mkdir(parents=True)
    return write_adapter(settings.models_folder / "lora_1", {})


def test_adapters_become_live_and_go(settings: Settings, version: Path) -> None:
    entry = publish([f"{version}=acme,globex"], settings)
    live = open_store(settings.key_store).get(LORA_KEY)
    assert live == entry
    adapters = Adapters.of(entry.value)
    assert adapters.number("acme") == adapters.number("globex") == number_of(version)
    assert publish([], settings).version == 2


def test_what_is_refused(settings: Settings, version: Path, tmp_path: Path) -> None:
    outside = write_adapter(tmp_path / "outside", {})
    for named in (f"{outside}=acme", f"{tmp_path}/nowhere=acme"):
        with pytest.raises(ExportError):
            publish([named], settings)
    with pytest.raises(SkynetError, match="Not the key"):
        publish([f"{version}="], settings)


def test_a_server_with_keys_wants_a_signature(
    settings: Settings, version: Path, tmp_path: Path
) -> None:
    create(tmp_path / "key")
    signed = replace(settings, models_public_keys=str(public_file(tmp_path / "key")))
    with pytest.raises(SkynetError) as refused:
        publish([f"{version}=acme"], signed)
    assert refused.value.code == "key_needed"
    assert publish([f"{version}=acme"], signed, tmp_path / "key").signature
