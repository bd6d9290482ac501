# SPDX-License-Identifier: Apache-2.0
"""The worker of the summariser, killed for real."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from bls.condense.supervisor import RESTARTED, Supervisor, WorkerOptions
from bls.errors import SkynetError
from tests.condense.said import Lines
from tests.condense.stub import write_version
from tests.condense.test_summariser import version

__all__ = ["version"]
WINDOW = list(range(100, 164))


@pytest.fixture
def supervisor(version: Path, lines: Lines) -> Iterator[Supervisor]:
    made = Supervisor(WorkerOptions(sys.executable, version, timeout_s=30.0), lines)
    assert made.start()
    yield made
    made.stop()


def until(true: Callable[[], object], seconds: float = 30.0) -> float:
    """Seconds until it was true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + seconds
        time.sleep(0.02)
    return time.monotonic() - began


def answers(supervisor: Supervisor) -> bool:
    try:
        return bool(supervisor([WINDOW]))
    except SkynetError as error:
        assert error.code == "worker_lost"
        return False


@pytest.mark.spec("CG-C-04")
def test_a_killed_worker_is_replaced(supervisor: Supervisor, lines: Lines) -> None:
    assert len(supervisor([WINDOW, WINDOW[:10]])[0]) <= 32
    killed = supervisor.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    until(lambda: supervisor.stats.restarts == 1)
    until(lambda: answers(supervisor))
    assert supervisor.pid not in (None, killed) and not psutil.pid_exists(killed)
    (line,) = lines.of(RESTARTED)
    assert line["restarts"] == 1 and line["away_s"] > 0


def test_a_worker_that_is_slow_lives_and_its_late_answer_is_dropped(
    version: Path, lines: Lines
) -> None:
    supervisor = Supervisor(WorkerOptions(sys.executable, version, timeout_s=0.3), lines)
    assert supervisor.start()
    try:
        slow = supervisor.pid
        assert slow is not None
        for number in range(7):  # more often than a storm takes
            os.kill(slow, signal.SIGSTOP)
            with pytest.raises(SkynetError) as caught:
                supervisor([WINDOW, WINDOW])
            assert caught.value.code == "worker_late"
            os.kill(slow, signal.SIGCONT)
            window = [200 + number, *WINDOW[1:]]
            until(partial(said, supervisor, window))
        assert supervisor.pid == slow and supervisor.stats.restarts == 0
        assert supervisor.stats.late >= 14
    finally:
        supervisor.stop()


def said(supervisor: Supervisor, window: list[int]) -> list[list[int]] | None:
    """One summary, not the two of the late answer; None when this one came too late."""
    try:
        (summary,) = supervisor([window])  # the late answer has two
    except SkynetError as error:
        assert error.code == "worker_late"
        return None
    assert set(summary) <= set(window)
    return [summary]


def test_a_worker_that_hangs_is_replaced(version: Path, lines: Lines) -> None:
    options = WorkerOptions(sys.executable, version, timeout_s=0.2, hang_s=0.5)
    supervisor = Supervisor(options, lines)
    assert supervisor.start()
    try:
        hung = supervisor.pid
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        until(lambda: asked(supervisor) or supervisor.pid not in (None, hung))
        assert not psutil.pid_exists(hung) and supervisor.stats.restarts == 1
        until(lambda: any(asked(supervisor)))
    finally:
        supervisor.stop()


def asked(supervisor: Supervisor) -> list[list[int]]:
    try:
        return supervisor([WINDOW])
    except SkynetError as error:
        assert error.code in ("worker_lost", "worker_late")
        return []


def test_a_refused_request_costs_no_worker(supervisor: Supervisor) -> None:
    pid = supervisor.pid
    with pytest.raises(SkynetError) as caught:
        supervisor([[-5]])
    assert caught.value.code == "bad_window" and supervisor.pid == pid
    assert answers(supervisor)


def test_a_model_that_cannot_be_loaded_is_told(
    tmp_path: Path, llm_folder: Path, lines: Lines
) -> None:
    folder = write_version(tmp_path / "v", llm_folder / "tokenizer.json")
    (folder / "model.onnx").write_bytes(b"none")
    supervisor = Supervisor(WorkerOptions(sys.executable, folder), lines)
    assert not supervisor.start()
    try:
        with pytest.raises(SkynetError) as caught:
            supervisor([WINDOW])
        assert caught.value.code == "model_hash_mismatch"
    finally:
        supervisor.stop()


def test_no_interpreter_is_no_worker(version: Path, lines: Lines) -> None:
    supervisor = Supervisor(WorkerOptions("/nowhere/python", version), lines)
    assert not supervisor.start()
    assert not answers(supervisor)
    supervisor.stop()


def test_stop_leaves_no_process(version: Path, lines: Lines) -> None:
    supervisor = Supervisor(WorkerOptions(sys.executable, version), lines)
    assert supervisor.start()
    pid = supervisor.pid
    supervisor.stop()
    assert pid is not None and not psutil.pid_exists(pid)
    assert not answers(supervisor)
