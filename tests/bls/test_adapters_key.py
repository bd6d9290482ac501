# SPDX-License-Identifier: Apache-2.0
"""`/cg/lora`: what it may say, and how a server follows it while its worker lives and dies."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.keys.entry import Entry
from bls.keys.store import open_store
from bls.llm.adapter_names import AdapterNames, without_missing
from bls.llm.adapters import AdapterKeeper
from bls.llm.adapters_key import LORA_KEY, Adapters
from bls.llm.jobs import Prefill, Step
from bls.llm.supervisor import Supervisor, WorkerOptions
from bls.models.served import served_name
from bls.settings import Settings
from export.llm.tiny import ensure_tiny_llm
from export.manifest import LLMManifest
from tests.bls.adapters import number_of, random_adapter, sha256_of
from tests.bls.test_supervisor import Client

ROWS = (tuple(range(3, 43)), tuple(range(3, 60)))


def named(folder: Path, *advertisers: str) -> dict[str, object]:
    return {
        "name": folder.name,
        "uri": folder.as_uri(),
        "sha256": sha256_of(folder),
        "advertisers": list(advertisers),
    }


GOOD = {"name": "a", "uri": "file:///a", "sha256": "1" * 64, "advertisers": ["acme"]}
BAD: list[dict[str, object]] = [
    {},
    {"adapters": {}},
    {"adapters": [], "more": 1},
    {"adapters": [GOOD | {"sha256": f"{i:064x}"[::-1]} for i in range(9)]},
    {"adapters": [{"name": "a"}]},
    {"adapters": [GOOD | {"more": 1}]},
    {"adapters": [GOOD | {"advertisers": []}]},
    {"adapters": [GOOD | {"advertisers": [""]}]},
    {"adapters": [GOOD | {"advertisers": [7]}]},
    {"adapters": [GOOD | {"sha256": "1"}]},
    {"adapters": [GOOD | {"sha256": "0" * 64}]},
    {"adapters": [GOOD | {"uri": "http://a"}]},
    {"adapters": [GOOD, GOOD | {"advertisers": ["globex"]}]},
    {"adapters": [GOOD, GOOD | {"sha256": "2" * 64}]},
]


@pytest.mark.parametrize("value", BAD, ids=range(len(BAD)))
def test_values_that_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(SkynetError) as caught:
        Adapters.of(value)
    assert caught.value.code == "bad_adapters_key"


def test_a_value_comes_back_as_it_was() -> None:
    value = {"adapters": [GOOD]}
    adapters = Adapters.of(value)
    assert adapters.value() == value
    assert adapters.number("acme") == int("1" * 16, 16) and adapters.number("globex") == 0


class Server:
    """A keeper over a real worker, and what replies ask for names."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.settings = Settings(state=folder / "state")
        self.models = self.settings.models_folder
        self.models.mkdir(parents=True)
        self.store = open_store(self.settings.key_store)
        self.log = JsonLog(self.settings.logs, 64)
        self.worker = Supervisor(WorkerOptions(sys.executable, model, 1, rows=16, spin=False))
        self.worker.start()
        self.client = Client(self.worker)
        self.names = AdapterNames(self.settings, self.log)
        self.keeper = AdapterKeeper.open(self.settings, self.worker, self.log)

    def publish(self, *adapters: dict[str, object]) -> None:
        version = self.store.newest(LORA_KEY) + 1
        self.store.put(Entry.of(LORA_KEY, version, int(time.time()), {"adapters": [*adapters]}))

    def until(self, true: Callable[[], object], seconds: float = 30.0) -> None:
        stop = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < stop, "did not come true in time"
            time.sleep(0.02)

    def takes(self, folder: Path | None) -> bool:
        expected = None if folder is None else (0, number_of(folder))
        return self.names.of_rows(["acme"]) == expected

    def prefill(self, conv: int, adapters: tuple[int, ...]) -> np.ndarray:
        return self.client.logits(lambda reply: Prefill(conv, 0, ROWS, reply, adapters))

    def lines(self) -> list[dict[str, object]]:
        file = self.settings.logs / "lora_swap.log"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def close(self) -> None:
        self.keeper.stop()
        self.names.close()
        self.worker.stop()
        self.log.close()
        self.store.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def server(tmp_path: Path, model: Path) -> Iterator[Server]:
    server = Server(tmp_path, model)
    server.keeper.start()
    yield server
    server.close()


@pytest.fixture
def adapters(server: Server, model: Path) -> list[Path]:
    manifest = LLMManifest.load(model)
    return [random_adapter(server.models / f"lora_{i}", manifest, i) for i in range(2)]


@pytest.mark.spec("CG-U-07")
def test_a_swap_there_and_back_is_told_with_equal_hashes(
    server: Server, adapters: list[Path]
) -> None:
    for folder in (adapters[0], adapters[1], adapters[0]):
        server.publish(named(folder, "acme"))
        server.until(lambda folder=folder: server.takes(folder))  # type: ignore[misc]
        server.prefill(1, server.names.of_rows(["acme"]) or ())
        server.client.end(1)
    server.publish()
    server.until(lambda: server.takes(None))
    server.until(lambda: len(server.lines()) >= 4)
    weights = [line["adapters"][0]["weights_sha256"] for line in server.lines()[:3]]  # type: ignore[index]
    assert weights[0] == weights[2] != weights[1] and len(str(weights[0])) == 64
    assert server.keeper.stats.swaps == 4 and server.keeper.stats.adapters == 0
    assert server.names.of_rows(["nobody"]) is None


def test_what_cannot_be_loaded_changes_nothing(server: Server, adapters: list[Path]) -> None:
    server.publish(named(adapters[0], "acme"))
    server.until(lambda: server.takes(adapters[0]))
    server.publish(named(adapters[0], "globex"), named(adapters[1], "acme") | {"sha256": "3" * 64})
    server.until(lambda: server.keeper.stats.failures.of(code="model_hash_mismatch"))
    assert server.takes(adapters[0]) and server.names.of_rows(["globex"]) is None
    server.publish(named(adapters[0], "acme") | {"uri": "file:///etc"})
    server.until(lambda: server.keeper.stats.failures.of(code="model_outside"))
    assert server.takes(adapters[0])


def test_a_new_worker_has_the_adapters_before_any_replay(
    server: Server, adapters: list[Path]
) -> None:
    """The same prompt and tokens in the new worker give the same bits."""
    server.publish(named(adapters[0], "acme"))
    server.until(lambda: server.takes(adapters[0]))
    chosen = (0, number_of(adapters[0]))
    first = server.prefill(1, chosen)
    second = server.client.step(1, 9)
    process = server.worker._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    server.until(lambda: server.worker.stats.restarts == 1)
    server.until(server.client.works)
    assert np.array_equal(server.prefill(1, chosen), first)
    step = server.client.logits(lambda reply: Step(1, 2, 9, reply))
    assert np.array_equal(step, second)
    assert np.abs(first[1] - server.prefill(2, ())[1]).max() > 0.01


def test_an_adapter_whose_version_vanished_is_not_acknowledged_after_a_restart(
    server: Server, adapters: list[Path]
) -> None:
    """The other one stays; when the folder is there again, so is the adapter."""
    server.publish(named(adapters[0], "acme"), named(adapters[1], "globex"))
    server.until(lambda: server.takes(adapters[0]))
    away = adapters[0].rename(adapters[0].with_name("away"))
    process = server.worker._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    server.until(lambda: server.keeper.stats.lost == 1)
    server.until(lambda: server.takes(None))
    held = (0, number_of(adapters[1]))
    assert server.names.of_rows(["globex"]) == held
    assert server.prefill(1, held).shape[0] == 2
    with pytest.raises(SkynetError) as caught:
        server.prefill(2, (0, number_of(away)))
    assert caught.value.code == "unknown_adapter"
    assert caught.value.param == served_name(number_of(away))
    server.until(lambda: server.keeper.stats.failures.of(code="model_missing"))
    away.rename(adapters[0])
    server.until(lambda: server.takes(adapters[0]))
    assert server.prefill(3, (0, number_of(adapters[0]))).shape[0] == 2


def test_only_the_missing_adapter_is_done_without() -> None:
    assert without_missing((0, 7, 9, 7), served_name(7)) == (0, 0, 9, 0)
    assert without_missing((0, 0, 9), served_name(9)) is None
    for unknown in (None, "x", served_name(8)):
        assert without_missing((0, 7), unknown) is None


def test_a_server_that_starts_forgets_what_an_earlier_one_acknowledged(
    server: Server, adapters: list[Path]
) -> None:
    server.publish(named(adapters[0], "acme"))
    server.until(lambda: server.takes(adapters[0]))
    server.publish(named(adapters[0], "acme") | {"sha256": "4" * 64})  # nothing it could load
    server.keeper.stop()
    again = AdapterKeeper.open(server.settings, server.worker, server.log)
    again.start()
    server.until(lambda: server.takes(None))
    again.stop()
