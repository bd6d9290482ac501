# SPDX-License-Identifier: Apache-2.0
"""The supervised worker with a tiny model: answers, deaths, storms, and no process left over."""

from __future__ import annotations

import dataclasses
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.llm.engine import Engine
from bls.llm.jobs import End, Job, Prefill, Reply, Span, Step
from bls.llm.session import LLMSession, SessionOptions
from bls.llm.supervisor import Supervisor, WorkerOptions
from bls.settings import REPOSITORY
from bls.workers import storm
from bls.workers.storm import RESTARTS
from export.errors import ExportError
from export.llm.tiny import ensure_tiny_llm
from tests.bls.engine_client import EngineClient

ROWS = 16
PROMPT = (tuple(range(3, 43)), tuple(range(3, 60)))
Answers = queue.SimpleQueue[Span | SkynetError]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tiny_llm(tmp_path_factory.mktemp("cache"))


def make(model: Path) -> Supervisor:
    return Supervisor(WorkerOptions(sys.executable, model, threads=1, rows=ROWS, spin=False))


@pytest.fixture
def supervisor(model: Path) -> Iterator[Supervisor]:
    supervisor = make(model)
    supervisor.start()
    yield supervisor
    supervisor.stop()


def workers() -> list[psutil.Process]:
    """Worker processes of this test process."""
    found = []
    for child in psutil.Process().children():
        try:
            if "bls.llm.worker" in child.cmdline():
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def until(check: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


class Client:
    """Blocking calls, and jobs whose answers are looked at later."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    def submit(self, job: Callable[[Reply], Job]) -> Answers:
        answers: Answers = queue.SimpleQueue()
        self.supervisor.submit(job(answers.put))
        return answers

    def logits(self, job: Callable[[Reply], Job]) -> NDArray[np.float32]:
        result = self.submit(job).get(timeout=30)
        if isinstance(result, SkynetError):
            raise result
        return self.supervisor.logits[result.start : result.start + result.rows].copy()

    def prefill(self, conv: int) -> NDArray[np.float32]:
        return self.logits(lambda reply: Prefill(conv, conv, PROMPT, reply))

    def step(self, conv: int, token: int) -> NDArray[np.float32]:
        return self.logits(lambda reply: Step(conv, len(PROMPT), token, reply))

    def end(self, conv: int) -> None:
        self.logits(lambda reply: End(conv, reply))

    def works(self) -> bool:
        """Whether a whole conversation goes through now."""
        try:
            self.prefill(999)
            self.end(999)
        except SkynetError:
            return False
        return True


def test_same_bits_as_the_engine_in_process(supervisor: Supervisor, model: Path) -> None:
    """The logits in shared memory are the engine's, bit for bit."""
    session = LLMSession(model, SessionOptions(threads=1, rows=ROWS, spin=False))
    engine = Engine(session, dataclasses.replace(LIMITS, kv_rows=ROWS))
    engine.start()
    try:
        expected = EngineClient(engine).generate(1, PROMPT, tokens=6)
    finally:
        engine.stop()
    client = Client(supervisor)
    logits = client.prefill(1)
    seen = [logits.tobytes()]
    for _ in range(6):
        logits = client.step(1, int(logits[0].argmax()))
        seen.append(logits.tobytes())
    assert seen == expected


def test_refusals_come_back_typed(supervisor: Supervisor) -> None:
    with pytest.raises(SkynetError) as caught:
        Client(supervisor).step(4242, 5)
    assert caught.value.code == "unknown_conversation" and caught.value.status == 409


def test_jobs_of_many_threads(supervisor: Supervisor) -> None:
    """Frames larger than a socket takes at once must not mix."""
    client = Client(supervisor)
    long = (tuple(3 + n % 400 for n in range(1_500)),)

    def talk(conv: int) -> str:
        refused = client.submit(lambda reply: Step(conv, 1, 5, reply)).get(timeout=60)
        assert isinstance(refused, SkynetError) and refused.code == "unknown_conversation"
        answer = client.submit(lambda reply: Prefill(conv, conv, long * 40, reply)).get(timeout=60)
        assert isinstance(answer, SkynetError)
        return answer.code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(talk, range(64))) == {"prompt_too_long"}
    assert client.works()


def test_killed_worker_answers_everything_once_and_is_replaced(supervisor: Supervisor) -> None:
    client = Client(supervisor)
    client.prefill(1)
    until(lambda: supervisor.stats.prefill_tokens > 0)
    before = dataclasses.replace(supervisor.stats)
    (worker,) = workers()
    worker.suspend()  # so that the jobs are surely pending
    pending = [client.submit(lambda reply, c=c: End(c, reply)) for c in range(20)]
    worker.kill()
    results = [answers.get(timeout=20) for answers in pending]
    assert [r.code for r in results if isinstance(r, SkynetError)] == ["worker_lost"] * 20
    assert supervisor.stats.restarts == before.restarts + 1
    assert supervisor.stats.rows_in_use == 0
    until(client.works)
    assert all(answers.empty() for answers in pending), "answered twice"
    until(lambda: supervisor.stats.prefill_tokens > before.prefill_tokens)
    assert supervisor.stats.restarts == before.restarts + 1
    assert [w.pid for w in workers()] != [worker.pid] and len(workers()) == 1
    with pytest.raises(SkynetError, match="live conversation"):
        client.step(1, 5)


def test_a_new_worker_outlives_the_thread_that_buried_the_old_one(supervisor: Supervisor) -> None:
    """PR_SET_PDEATHSIG is about threads: the starter of a worker must stay."""
    client = Client(supervisor)
    workers()[0].kill()
    until(lambda: supervisor.stats.restarts == 1)
    until(client.works)
    (worker,) = workers()
    time.sleep(0.3)
    assert worker.is_running() and client.works() and supervisor.stats.restarts == 1


def test_an_asker_who_fails_does_not_silence_the_others(supervisor: Supervisor) -> None:
    def broken(result: Span | SkynetError) -> None:
        raise RuntimeError("the stream is gone")

    supervisor.submit(End(1, broken))
    assert Client(supervisor).works()


NONSENSE = """#!{python}
import socket, sys, time
sys.path.insert(0, {root!r})
from bls.llm.wire import receive_frame, send_frame
number = next(int(a.split("=")[1]) for a in sys.argv if a.startswith("--socket="))
line = socket.socket(fileno=number)
send_frame(line, ["ready"])
receive_frame(line)
line.sendall(b"\\xff" * 64)
time.sleep(60)
"""


def test_a_worker_that_speaks_nonsense_is_replaced(model: Path, tmp_path: Path) -> None:
    """A frame nobody understands ends that worker; its job is answered all the same."""
    python = tmp_path / "python"
    python.write_text(NONSENSE.format(python=sys.executable, root=str(REPOSITORY)))
    python.chmod(0o755)
    supervisor = Supervisor(WorkerOptions(str(python), model, threads=1, rows=ROWS, spin=False))
    supervisor.start()
    try:
        (worker,) = workers()
        answer = Client(supervisor).submit(lambda reply: End(1, reply)).get(timeout=20)
        assert isinstance(answer, SkynetError) and answer.code == "worker_lost"
        assert not worker.is_running() and supervisor.stats.restarts == 1
    finally:
        supervisor.stop()
    assert workers() == []


def test_five_deaths_are_no_restart_storm(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the fifth death jobs are refused, until the window is over."""
    monkeypatch.setattr(storm, "WINDOW_S", 4.0)
    supervisor = make(model)
    supervisor.start()
    client = Client(supervisor)
    try:
        for death in range(1, RESTARTS + 1):
            (worker,) = workers()
            worker.kill()
            until(lambda death=death: supervisor.stats.restarts == death)
            if death < RESTARTS:
                until(lambda: len(workers()) == 1)
        with pytest.raises(SkynetError) as caught:
            client.prefill(1)
        assert caught.value.code == "worker_lost"
        time.sleep(0.3)
        assert workers() == [], "restarted at once"
        until(client.works)
    finally:
        supervisor.stop()
    assert workers() == []


def test_worker_that_cannot_start(model: Path, tmp_path: Path) -> None:
    """The model loads for us but not for the worker: a typed error, at once, no process left."""
    broken = Path(shutil.copytree(model, tmp_path / "broken"))
    supervisor = make(broken)
    (broken / "model.onnx").write_bytes(b"no model")
    began = time.monotonic()
    with pytest.raises(SkynetError) as caught:
        supervisor.start()
    assert caught.value.code == "worker_failed" and caught.value.status == 500
    assert time.monotonic() - began < 15.0
    assert workers() == []


def test_no_such_interpreter(model: Path) -> None:
    options = WorkerOptions("/no/such/python", model, threads=1, rows=ROWS, spin=False)
    with pytest.raises(SkynetError) as caught:
        Supervisor(options).start()
    assert caught.value.code == "worker_failed"


def test_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        make(tmp_path)
    assert caught.value.code == "manifest_missing"


def test_stop_leaves_no_process_and_no_open_question(model: Path) -> None:
    supervisor = make(model)
    supervisor.start()
    client = Client(supervisor)
    (worker,) = workers()
    worker.suspend()
    pending = [client.submit(lambda reply, c=c: End(c, reply)) for c in range(5)]
    supervisor.stop()
    assert not worker.is_running() and workers() == []
    assert all(isinstance(answers.get(timeout=1), SkynetError) for answers in pending)
    late = client.submit(lambda reply: End(1, reply)).get(timeout=1)
    assert isinstance(late, SkynetError) and late.code == "worker_lost"
    assert not [t for t in threading.enumerate() if t.name == "llm-replies"]
    supervisor.stop()


def test_stop_during_a_pause_starts_nothing_later(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storm, "WINDOW_S", 1.0)
    monkeypatch.setattr(Supervisor, "_pause", lambda self: 1.0)
    supervisor = make(model)
    supervisor.start()
    workers()[0].kill()
    until(lambda: supervisor.stats.restarts == 1)
    supervisor.stop()
    time.sleep(1.2)
    assert workers() == []
