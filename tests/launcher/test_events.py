# SPDX-License-Identifier: Apache-2.0
"""The broker and the relay beside the stack: started again when killed, flushed at the end."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bls.errors import SkynetError
from bls.settings import REPOSITORY, Settings
from client.launcher import broker, events
from client.launcher.events import BROKER, RELAY, EventPath
from client.launcher.ports import check_ports
from client.launcher.process import Child
from client.launcher.stack import Stack
from tests.events.spool import CLICKS, Spool
from tests.events.tansu import TestBroker, environment, eventually
from tests.launcher.test_stack import IDLE, repository


def sent(logs: Path, topic: str = CLICKS) -> int:
    """Events that the relay's file of figures calls sent."""
    path = logs / "relay.prom"
    text = path.read_text() if path.exists() else ""
    series = f'orch_events_sent_total{{topic="{topic}"}} '
    found = [line for line in text.splitlines() if line.startswith(series)]
    return int(found[0].removeprefix(series)) if found else 0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    ports = {"port": 0, "triton_grpc_port": 0, "triton_metrics_port": 0, "kafka_port": 0}
    base = dataclasses.replace(Settings(), state=tmp_path, **ports)  # type: ignore[arg-type]
    return check_ports(base, broker=True)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def path(settings: Settings, told: list[str]) -> Iterator[EventPath]:
    path = EventPath(settings, environment() | {"PYTHONPATH": str(REPOSITORY)}, told.append)
    path.start()
    yield path
    path.stop()


def test_killed_programs_are_started_again_and_nothing_is_lost(
    settings: Settings, path: EventPath, told: list[str]
) -> None:
    spool = Spool(settings.logs)
    spool.write(10)
    eventually(lambda: sent(settings.logs) == 10, 30)
    for name in (RELAY, BROKER):
        pid = path.pid(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        eventually(lambda name=name, pid=pid: path.pid(name) not in (None, pid), 20)
        assert f"{name} ended with code -9" in told[-1]
    spool.write(10)
    eventually(lambda: sent(settings.logs) >= 10, 40)
    eventually(lambda: f'lag_bytes{{topic="{CLICKS}"}} 0' in figures(settings.logs), 40)
    spool.write(500)
    pids = [path.pid(name) for name in (RELAY, BROKER)]
    path.stop()
    assert f'lag_bytes{{topic="{CLICKS}"}} 0' in figures(settings.logs)
    assert not any(psutil.pid_exists(pid) for pid in pids if pid is not None)
    spool.close()


def test_what_cannot_be_started_is_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a terminal that is gone ends nothing."""
    said, starts = [], []

    def child(*arguments: object) -> Child:
        starts.append(arguments[-1])
        if len(starts) < 3:
            raise BlockingIOError("out of processes")
        return Child(*arguments)  # type: ignore[arg-type]

    def tell(text: str) -> None:
        said.append(text)
        raise BrokenPipeError

    monkeypatch.setattr(events, "Child", child)
    monkeypatch.setattr(events, "_PAUSE_MAX_S", 0.1)
    theirs = dataclasses.replace(settings, kafka="127.0.0.1:1")
    path = EventPath(theirs, environment() | {"PYTHONPATH": str(REPOSITORY)}, tell)
    path.start()
    eventually(lambda: path.pid(RELAY) is not None, 10)
    path.stop()
    assert starts == [False, True, True] and len(said) == 2
    assert said[0] == "relay cannot be started (BlockingIOError); again in 0 s. Replies go on"


def test_children_get_no_secrets(settings: Settings) -> None:
    ours = {"PATH": "/bin", "LANG": "C", "PYTHONPATH": "x"}
    secrets = {"SKYNET_ETCD_PASSWORD": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    path = EventPath(settings, ours | secrets, lambda text: None)
    given = {kept.name: kept.environment for kept in path._kept}
    assert given == {RELAY: ours, BROKER: {"PATH": "/bin", "LANG": "C"}}


def figures(logs: Path) -> str:
    path = logs / "relay.prom"
    return path.read_text() if path.exists() else ""


def test_with_a_kafka_of_ones_own_only_the_relay_runs(settings: Settings) -> None:
    with TestBroker() as own:
        theirs = dataclasses.replace(settings, kafka=own.address)
        path = EventPath(theirs, environment() | {"PYTHONPATH": str(REPOSITORY)}, lambda text: None)
        spool = Spool(settings.logs)
        spool.write(5)
        path.start()
        eventually(lambda: sent(settings.logs) == 5, 30)
        path.stop()
        assert len(own.messages(CLICKS)) == 5
        spool.close()


def test_a_stack_without_events_starts_neither(settings: Settings, tmp_path: Path) -> None:
    models = repository(tmp_path, "idle", IDLE)
    off = dataclasses.replace(settings, events=False)
    with Stack(off, repository=models, gateway=False, events=True) as stack:
        assert stack.events is None


def test_a_stack_with_events(settings: Settings, tmp_path: Path) -> None:
    models, said = repository(tmp_path, "idle", IDLE), []
    spool = Spool(settings.logs)
    spool.write(3)
    with Stack(settings, said.append, models, gateway=False, events=True) as stack:
        assert said[-1] == f"events go to Kafka at 127.0.0.1:{settings.kafka_port}"
        assert stack.events is not None
        eventually(lambda: sent(settings.logs) == 3, 30)
        spool.write(3)
    assert sent(settings.logs) == 6
    spool.close()


def test_a_taken_port_is_named(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = dataclasses.replace(settings, kafka_port=taken.getsockname()[1])
        with pytest.raises(SkynetError, match="SKYNET_KAFKA_PORT") as caught:
            Stack(busy, events=True).start()
    assert caught.value.code == "port_in_use"


def test_a_missing_broker_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "find_spec", lambda name: None)
    with pytest.raises(SkynetError, match="SKYNET_KAFKA") as caught:
        broker.find_broker()
    assert caught.value.code == "broker_missing"
