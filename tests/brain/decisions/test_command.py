# SPDX-License-Identifier: Apache-2.0
"""`skynet audit decisions`: totals, places, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bls.brain.decisions.record import STREAM, DecisionLog
from bls.jsonlog import JsonLog
from client import cli
from tests.brain.decisions.deciding import decide


def run(*arguments: object) -> int:
    return int(cli.cli.main([*map(str, arguments)], "skynet", standalone_mode=False) or 0)


@pytest.mark.spec("MPC-S-03")
def test_passes_then_fails_on_a_corrupted_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = JsonLog(tmp_path / "logs", 10)
    DecisionLog(log)(decide(50))
    log.close()
    arguments = ("audit", "decisions", tmp_path / "logs", "--out", tmp_path / "out")
    assert run(*arguments) == 0
    shown = capsys.readouterr().out
    assert "50 decisions, 0 differ, 0 unreadable" in shown and "audit passed" in shown
    assert str(tmp_path / "out" / "replay.diff.csv") in shown
    stream = tmp_path / "logs" / STREAM
    stream.write_bytes(stream.read_bytes()[:-100])
    assert run(*arguments) == 1
    assert f"unreadable: {STREAM}:50" in capsys.readouterr().out
    assert run(*arguments, "--json") == 1
    assert json.loads(capsys.readouterr().out)["malformed"] == 1
    assert run("audit", "decisions", "--help") == 0
