# SPDX-License-Identifier: Apache-2.0
"""`skynet pipelines` as an operator runs it: it comes up, lists everything, and is gone again."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from bls.errors import SkynetError
from bls.settings import REPOSITORY
from pipelines_dagster.defs.operations.broker import answers, ensure_broker
from pipelines_dagster.defs.operations.dev import free_port
from pipelines_dagster.defs.operations.home import CONFIG, TEMPLATE, home_of, prepare
from pipelines_dagster.settings import load_pipeline_settings
from tests.pipelines.operations.snapshot import FILE

QUERY = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
  assetNodes { assetKey { path } } jobs { name }
  schedules { name scheduleState { status } } sensors { name sensorState { status } } } } } }"""


def test_up_and_gone(tmp_path: Path) -> None:
    kafka = free_port(0)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKYNET_")}
    environment = {**kept, "SKYNET_STATE": str(tmp_path), "SKYNET_KAFKA_PORT": str(kafka)}
    environment["SKYNET_READY_TIMEOUT_S"] = "200"
    said = tmp_path / "stderr.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "client.cli", "pipelines", "--port", "0"],
            env=environment,
            cwd=REPOSITORY,
            stderr=output,
        )
    family: list[psutil.Process] = []
    try:
        url = _url(process, said)
        family = psutil.Process(process.pid).children(recursive=True)
        answer = httpx.post(f"{url}/graphql", json={"query": QUERY}, timeout=80).json()
        (found,) = answer["data"]["repositoriesOrError"]["nodes"]
        listed = {"/".join(node["assetKey"]["path"]) for node in found["assetNodes"]}
        snapshot = FILE.read_text()
        assert all(f"  {key}" in snapshot for key in listed)
        assert snapshot.index("checks") < snapshot.index("jobs")
        assert len(listed) == snapshot.split("checks")[0].count("\n  ")
        states = [one["scheduleState"]["status"] for one in found["schedules"]]
        states += [one["sensorState"]["status"] for one in found["sensors"]]
        assert set(states) == {"RUNNING"}
        assert answers(f"127.0.0.1:{kafka}")
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
    assert code == 0, said.read_text()
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert gone
    assert not answers(f"127.0.0.1:{kafka}")
    assert "enabled: false" in (tmp_path / "dagster" / CONFIG).read_text()


def _url(process: subprocess.Popen[bytes], said: Path) -> str:
    deadline = time.monotonic() + 210
    while "ready at" not in (text := said.read_text()):
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.1)
    return text.split("ready at ")[1].split()[0]


def test_an_operators_own_configuration_is_kept(tmp_path: Path) -> None:
    home = prepare(tmp_path / "dagster")
    assert (home / CONFIG).read_bytes() == TEMPLATE.read_bytes()
    (home / CONFIG).write_text("telemetry: {enabled: false}\n")
    assert (prepare(home) / CONFIG).read_text() == "telemetry: {enabled: false}\n"


def test_a_port_that_is_taken() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        with pytest.raises(SkynetError) as caught:
            free_port(held.getsockname()[1])
    assert caught.value.code == "port_in_use"


def test_kafka_that_was_named_is_not_replaced(tmp_path: Path) -> None:
    settings = load_pipeline_settings({"SKYNET_STATE": str(tmp_path)})
    assert home_of(settings) == tmp_path / "dagster"
    serving = dataclasses.replace(settings.serving, kafka=f"127.0.0.1:{free_port(0)},nonsense")
    with pytest.raises(SkynetError) as caught:
        ensure_broker(serving)
    assert caught.value.code == "no_kafka"


def test_a_broker_that_answers_is_used(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        settings = load_pipeline_settings(
            {"SKYNET_STATE": str(tmp_path), "SKYNET_KAFKA_PORT": str(listener.getsockname()[1])}
        )
        assert ensure_broker(settings.serving) is None
