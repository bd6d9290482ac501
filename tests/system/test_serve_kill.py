# SPDX-License-Identifier: Apache-2.0
"""A stack that does not get ready leaves no process and no shared memory to the next test."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.system import serve
from tests.system.serve import Served, _runs

STACK = """
import os, pathlib, subprocess, sys, time
state = pathlib.Path(os.environ["SKYNET_STATE"])
run = state / f"run-{os.getpid()}-never-ready"
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
pathlib.Path("/dev/shm", f"of-{run.name}").touch()
(state / "child").write_text(str(child.pid))
run.mkdir()
time.sleep(300)
"""


def test_a_stack_that_does_not_get_ready_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(served: Served) -> None:
        deadline = time.monotonic() + 30
        while not served.run_folders and time.monotonic() < deadline:
            time.sleep(0.01)
        raise AssertionError("not ready")

    monkeypatch.setattr(serve, "SKYNET", [sys.executable, "-c", STACK])
    monkeypatch.setattr(Served, "_wait_until_ready", never)
    with pytest.raises(AssertionError, match="not ready"):
        Served.start(tmp_path)
    (run,) = tmp_path.glob("run-*")
    left = list(Path("/dev/shm").glob(f"*{run.name}*"))
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(child) and _runs(psutil.Process(child)):
        assert time.monotonic() < deadline, "its child runs on"
        time.sleep(0.01)
    assert left == []
