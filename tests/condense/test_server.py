# SPDX-License-Identifier: Apache-2.0
"""`condense` and `summariser` in a real Triton server, and its worker killed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from tritonclient.utils import InferenceServerException

from bls.condense.bridge import Bridge
from bls.condense.condensed import Condensed
from bls.condense.tensors import pad, unpad, whole
from bls.contracts import SUMMARY_WINDOW
from bls.errors import SkynetError
from bls.settings import REPOSITORY, Settings
from client.launcher.stack import Stack
from tests.condense.stub import write_version
from tests.one_model import ModelServer

MODELS = ("summariser", "condense")
HEAD = np.random.default_rng(3).integers(1_000, 40_000, 700).astype(np.int32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, llm_folder: Path) -> Iterator[ModelServer]:
    folder = tmp_path_factory.mktemp("condense")
    repository = folder / "repository"
    repository.mkdir()
    for model in MODELS:
        (repository / model).symlink_to(REPOSITORY / "model_repository" / model)
    version = write_version(folder / "v1", llm_folder / "tokenizer.json")
    settings = Settings(
        state=folder / "state",
        summariser_model=str(version),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )
    with Stack(settings, repository=repository, gateway=False) as stack:
        yield ModelServer(stack, "condense", folder)


def condense(server: ModelServer, head: np.ndarray, salt: int) -> Condensed:
    with server.client() as client:
        out = server.infer(client, IDS=head.astype(np.int32), SALT=np.array([salt], np.uint64))
    return whole(out["SUMMARY"], out["LENGTHS"], out["WINDOWS"])


def worker(server: ModelServer) -> psutil.Process | None:
    """The live worker below the server."""
    parent = psutil.Process(server.stack.child("tritonserver").pid)
    for child in parent.children(recursive=True):
        try:
            if "bls.condense.worker" in child.cmdline() and child.status() != "zombie":
                return child
        except psutil.Error:
            continue
    return None


@pytest.mark.spec("CG-U-01")
def test_eight_summaries_in_one_batch(server: ModelServer) -> None:
    condensed = condense(server, HEAD, salt=1)
    assert condensed.windows == 11 and len(condensed.summaries) == 8
    assert all(1 <= len(one) <= 32 for one in condensed.summaries)
    server.until(lambda: server.series("cg_windows_total").get("", 0) >= 11)
    assert condense(server, HEAD, salt=1) == condensed
    server.until(lambda: server.series("cg_condense_cache_hits_total").get("", 0) >= 8)
    server.until((server.logs / "condense.log").is_file)
    line = json.loads((server.logs / "condense.log").read_text().splitlines()[0])
    assert line["windows_created"] == 11 and line["tail_len"] == 256


def test_nothing_to_condense(server: ModelServer) -> None:
    assert condense(server, HEAD[:0], salt=1) == Condensed((), 0)


@pytest.mark.spec("CG-I-06")
def test_a_slur_of_the_head_is_masked(server: ModelServer, bridge: Bridge) -> None:
    head = np.array(bridge.ids("You f4ggot, book the Hilton in Rome"), np.int32)
    (summary,) = condense(server, head, salt=1).summaries
    assert bridge.text(summary) == "You *** book the Hilton in Rome"


def test_windows_straight_to_the_summariser(server: ModelServer) -> None:
    windows = [HEAD[:64].tolist(), HEAD[:20].tolist()]
    summariser = ModelServer(server.stack, "summariser", server.models)
    with server.client() as client:
        out = summariser.infer(client, IDS=pad(windows, SUMMARY_WINDOW))
        assert unpad(out["SUMMARY"])[1] == windows[1]
        with pytest.raises(InferenceServerException) as caught:
            summariser.infer(client, IDS=np.full((1, SUMMARY_WINDOW), -1, np.int32))
    assert SkynetError.from_wire(str(caught.value)).code == "bad_window"


@pytest.mark.spec("CG-C-04")
def test_a_killed_summariser_is_back_and_nobody_fails(server: ModelServer) -> None:
    killed = worker(server)
    assert killed is not None
    killed.kill()
    began = time.monotonic()
    salt, summaries = 100, 0
    while not summaries:
        salt += 1
        condensed = condense(server, HEAD, salt)
        assert condensed.windows == 11
        summaries = len(condensed.summaries)
        assert time.monotonic() < began + 60
        time.sleep(0.05)
    assert summaries == 8
    fresh = worker(server)
    assert fresh is not None and fresh.pid != killed.pid
    assert sum(fresh.cpu_times()[:2]) < 5.0, "seconds of work; how long they take is the machine's"
    server.until(lambda: server.series("cg_condense_restart_total").get("", 0) == 1)
