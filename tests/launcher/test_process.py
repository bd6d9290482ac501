# SPDX-License-Identifier: Apache-2.0
"""A child is always ended: politely, by force, or with a parent that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bls.settings import REPOSITORY
from client.launcher.process import Child

READY = "print('ready', flush=True)\n"
SLEEP = READY + "import time; time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP


def start(folder: Path, program: str) -> Child:
    child = Child("child", [sys.executable, "-c", program], os.environ, folder / "logs" / "log.txt")
    until(lambda: "ready" in child.tail() or child.exit_code is not None)
    return child


def until(check: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def test_dies_with_sigterm(tmp_path: Path) -> None:
    child = start(tmp_path, SLEEP)
    assert child.exit_code is None
    child.stop(grace_s=5.0)
    assert child.exit_code == -signal.SIGTERM
    assert not psutil.pid_exists(child.pid)


def test_killed_after_the_grace(tmp_path: Path) -> None:
    child = start(tmp_path, STUBBORN)
    began = time.monotonic()
    child.stop(grace_s=0.2)
    assert child.exit_code == -signal.SIGKILL
    assert 0.2 <= time.monotonic() - began < 3.0


def test_stop_of_an_ended_child_is_fine(tmp_path: Path) -> None:
    child = start(tmp_path, "raise SystemExit(3)")
    until(lambda: child.exit_code is not None)
    child.stop(grace_s=0.1)
    child.stop(grace_s=0.1)
    assert child.exit_code == 3


def test_output_and_errors_are_in_the_tail(tmp_path: Path) -> None:
    child = start(tmp_path, "import sys; print('out'); print('error: why', file=sys.stderr)")
    until(lambda: child.exit_code is not None)
    assert child.tail().splitlines() == ["error: why", "out"]
    assert "out" not in child.tail(lines=1) or child.tail(lines=1).startswith("error: why")


def test_tail_survives_bytes_that_are_no_text(tmp_path: Path) -> None:
    child = start(tmp_path, r"import sys; sys.stdout.buffer.write(b'a\xff\xfeb')")
    until(lambda: child.exit_code is not None)
    assert child.tail().startswith("a") and child.tail().endswith("b")


def test_the_log_of_a_restart_goes_on(tmp_path: Path) -> None:
    for again in (False, False, True):
        child = Child("c", ["/bin/echo", "said"], {}, tmp_path / "log.txt", again)
        until(lambda child=child: child.exit_code is not None)
    assert (tmp_path / "log.txt").read_text() == "said\n" * 2


def test_away_from_the_terminal(tmp_path: Path) -> None:
    """A session of its own: Ctrl-C reaches only the launcher, which ends children in order."""
    child = start(tmp_path, SLEEP)
    try:
        assert os.getsid(child.pid) == child.pid
    finally:
        child.stop(grace_s=5.0)


PARENT = """
import os, sys, time
from pathlib import Path
from client.launcher.process import Child
child = Child("c", [sys.executable, "-c", {program!r}], os.environ, Path({log!r}))
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_dies_with_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    source = PARENT.format(program=SLEEP, log=str(tmp_path / "log.txt"))
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        until(lambda: "ready" in (tmp_path / "log.txt").read_text())
        parent.send_signal(how)
        parent.wait(5)
    until(lambda: not psutil.pid_exists(pid) or _is_zombie(pid), 5.0)


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


FORKS = """
import sys, threading
from pathlib import Path
import client.launcher.stack
from client.launcher.process import Child
from tests.client.fake_triton import FakeTriton
from client.launcher.ready import triton_ready

with FakeTriton() as fake:
    ready, done = triton_ready(fake.address), threading.Event()

    def ask():
        while not done.is_set():
            ready()

    asking = threading.Thread(target=ask)
    asking.start()
    children = [
        Child("true", ["/bin/true"], {}, Path(sys.argv[1], f"{n}.txt")) for n in range(20)
    ]
    codes = {child._process.wait() for child in children}
    done.set()
    asking.join()
print(codes)
"""


def test_a_child_is_not_harmed_by_our_own_grpc(tmp_path: Path) -> None:
    """Forked while channels are in use: every child must reach its program."""
    words = [sys.executable, "-c", FORKS, str(tmp_path)]
    kept = {k: v for k, v in os.environ.items() if k != "GRPC_ENABLE_FORK_SUPPORT"}
    done = subprocess.run(
        words, cwd=REPOSITORY, env=kept, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "{0}\n" and "fork" not in done.stderr, done.stderr
