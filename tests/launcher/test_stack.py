# SPDX-License-Identifier: Apache-2.0
"""The stack when things go wrong, on the real server with models that load at once."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import psutil
import pytest

from bls.errors import SkynetError
from bls.settings import Settings
from client.launcher.stack import Stack

CONFIG = """
name: "MODEL"
backend: "python"
max_batch_size: 0
input [{ name: "A" data_type: TYPE_INT32 dims: [ 1 ] }]
output [{ name: "B" data_type: TYPE_INT32 dims: [ 1 ] }]
instance_group [{ count: 1 kind: KIND_CPU }]
"""
IDLE = """
import os, sys
sys.path[:0] = os.environ["SKYNET_SITE"].split(os.pathsep)
class TritonPythonModel:
    def execute(self, requests):
        return []
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return dataclasses.replace(
        Settings(), state=tmp_path / "state", port=0, triton_grpc_port=0, triton_metrics_port=0
    )


def repository(folder: Path, name: str, code: str) -> Path:
    """A model repository with one Python model."""
    (folder / "models" / name / "1").mkdir(parents=True)
    (folder / "models" / name / "config.pbtxt").write_text(CONFIG.replace("MODEL", name))
    (folder / "models" / name / "1" / "model.py").write_text(code)
    return folder / "models"


def leftovers(settings: Settings) -> list[Path]:
    return list(settings.state.glob("run-*"))


def test_broken_model_says_why(settings: Settings, tmp_path: Path) -> None:
    models = repository(tmp_path, "broken", "import no_such_module\n")
    stack = Stack(settings, repository=models, gateway=False)
    with pytest.raises(SkynetError) as caught, stack:
        pass
    assert caught.value.code == "start_failed"
    first, reason, *_ = caught.value.message.splitlines()
    assert "tritonserver ended with code" in first
    assert "No module named 'no_such_module'" in reason
    assert "|" not in caught.value.message
    assert leftovers(settings) == []


def test_missing_model_folder_starts_nothing(settings: Settings, tmp_path: Path) -> None:
    empty = dataclasses.replace(settings, cache=tmp_path / "cache")
    with pytest.raises(SkynetError) as caught, Stack(empty):
        pass
    assert caught.value.code == "llm_missing"
    assert not settings.state.exists()


def test_killed_server_is_told_and_swept_up(settings: Settings, tmp_path: Path) -> None:
    """SIGKILL leaves segments behind: `wait` reports the death, `stop` removes them."""
    models = repository(tmp_path, "idle", IDLE)
    with Stack(settings, repository=models, gateway=False) as stack:
        (run,) = leftovers(settings)
        server = psutil.Process(stack.child("tritonserver").pid)
        stubs = server.children(recursive=True)
        assert stubs and segments(run.name)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(SkynetError) as caught:
            stack.wait()
    assert caught.value.code == "child_died"
    assert "tritonserver ended with code -9" in caught.value.message
    assert segments(run.name) == [] and leftovers(settings) == []
    assert psutil.wait_procs(stubs, timeout=10)[1] == []


def segments(prefix: str) -> list[Path]:
    return list(Path("/dev/shm").glob(f"*{prefix}*"))
