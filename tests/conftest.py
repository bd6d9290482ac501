# SPDX-License-Identifier: Apache-2.0
"""Fixtures shared by all tests: the exported model, made by `make setup`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

import client.launcher  # noqa: F401  (keeps gRPC out of forks: before anybody imports it)
from bls.settings import Settings
from export.manifest import LLMManifest

pytest_plugins = ["tests.bls.ads.databases"]


@pytest.fixture(scope="session")
def llm_folder() -> Path:
    """The exported embedded LLM."""
    return Settings().llm_folder()


@pytest.fixture(scope="session")
def manifest(llm_folder: Path) -> LLMManifest:
    return LLMManifest.load(llm_folder, verify=False)


@pytest.fixture(scope="session")
def tokenizer(llm_folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(llm_folder / "tokenizer.json"))
