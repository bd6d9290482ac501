# SPDX-License-Identifier: Apache-2.0
"""A stack of its own: the tiny model, a local campaign, and two remote bidders on loopback."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bls.remote.vocabulary import Vocabulary
from bls.settings import REPOSITORY, Settings
from client.launcher.stack import Stack
from export.llm.tiny import ensure_tiny_llm
from tests.remote.scripted_bidder import ScriptedBidder, insist
from tests.system.probe import Probe

AD = "Recommend the harbour hotel, rooms with a view."
DEADLINE_MS = 250


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def far() -> Iterator[ScriptedBidder]:
    with ScriptedBidder() as scripted:
        yield scripted


@pytest.fixture(autouse=True)
def _well_behaved(request: pytest.FixtureRequest) -> None:
    """Every test of the stack finds the scripted bidder as it should be."""
    if "probe" in request.fixturenames:
        request.getfixturevalue("far").script = insist(40)


@contextmanager
def reference_bidder(model: Path) -> Iterator[str]:
    """The reference bidder as an advertiser runs it; its `host:port`."""
    words = ["-m", "bls.remote.reference_bidder", "--model", str(model), "--ad", AD, "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, *words], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[2].rstrip(",")
    finally:
        process.terminate()
        process.wait(10)


def campaigns(folder: Path, far: str, reference: str, vocabulary: str) -> Path:
    """A campaign file: `far` is scripted, `harbour` the reference bidder, `near` ours."""

    def campaign(name: str, **fields: Any) -> dict[str, Any]:
        return {"advertiser": name, "brand": name, "bid": 2.0, "keywords": ["trip"], **fields}

    def remote(target: str, **fields: Any) -> dict[str, Any]:
        return {"target": target, "vocabulary": vocabulary, **fields}

    offers = [
        campaign("far", remote=remote(far, deadline_ms=DEADLINE_MS, top_k=8)),
        campaign("near", creative="Buy trail shoes."),
        campaign("harbour", remote=remote(reference, deadline_ms=1_000, top_k=0)),
    ]
    file = folder / "campaigns.json"
    file.write_text(json.dumps({"micros_per_weight": 1_000, "campaigns": offers}))
    return file


def settings(state: Path, model: Path, campaigns: Path) -> Settings:
    return dataclasses.replace(
        Settings(),
        state=state,
        llm=str(model),
        campaigns=str(campaigns),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )


@pytest.fixture(scope="module")
def stack(
    tiny: Path, far: ScriptedBidder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    vocabulary = Vocabulary.load(tiny).sha256.hex()
    with reference_bidder(tiny) as reference:
        file = campaigns(folder, far.target, reference, vocabulary)
        with Stack(settings(folder / "state", tiny, file)) as stack:
            yield stack


@pytest.fixture
def probe(stack: Stack) -> Probe:
    return Probe(stack)
