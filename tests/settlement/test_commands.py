# SPDX-License-Identifier: Apache-2.0
"""`skynet settle` and `skynet audit replay`: what a person sees, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bls.settlement.record import RECEIPTS, VCG
from client import cli
from tests.settlement.tamper import Json, forge
from tests.settlement.workshop import Workshop, write

Make = Callable[..., Workshop]


def run(*arguments: str) -> int:
    return int(cli.cli.main([*arguments], "skynet", standalone_mode=False) or 0)


def overbill(lines: list[Json]) -> None:
    lines[0]["lines"][0]["charge_micros"] += 50
    lines[0]["total_micros"] += 50


def test_settle_prints_every_advertiser(
    tmp_path: Path, workshop: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, workshop().reply(40))
    assert run("settle", "--logs", str(tmp_path)) == 0
    shown = capsys.readouterr().out
    for words in ("alpine_rail", "harbor_hotels", "lumen_coffee", "total", "40 tokens"):
        assert words in shown
    assert shown.rstrip().endswith("settled") and "NOT" not in shown
    assert run("settle", "--logs", str(tmp_path), "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is True and result["total"]["difference_micros"] == 0
    assert set(result["chain_heads"]) == {"auction.bids", "auction.vcg", "e2e.trace"}


def test_settle_fails_on_a_wrong_bill(
    tmp_path: Path, workshop: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, workshop().reply(40))
    forge(tmp_path / RECEIPTS, overbill)
    assert run("settle", "--logs", str(tmp_path)) == 1
    shown = capsys.readouterr().out
    assert "FAULT mismatch: 1" in shown and "NOT settled" in shown and "-$" not in shown


def test_replay_prints_verdicts_and_names_its_file(
    tmp_path: Path, workshop: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    logs, out = tmp_path / "logs", tmp_path / "out"
    write(logs, workshop().reply(40))
    arguments = ("audit", "replay", "--logs", str(logs), "--out", str(out))
    assert run(*arguments) == 0
    shown = capsys.readouterr().out
    assert "argmax: winner" in shown and "40 of 40 tokens pass" in shown
    assert str(out / "vcg.audit.csv") in shown and (out / "vcg.audit.csv").exists()
    forge(logs / VCG, lambda lines: lines.append(dict(lines[3])))
    assert run(*arguments, "--json") == 1
    assert json.loads(capsys.readouterr().out)["faults"]["duplicate"]["count"] == 1


@pytest.mark.parametrize("command", [("settle",), ("audit", "replay")])
def test_no_logs_is_one_line_and_code_1(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The whole program, as it is installed: no stack trace."""
    done = subprocess.run(
        [sys.executable, "-m", "client.cli", *command, "--logs", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 1 and "no_records" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", [("settle",), ("audit",), ("audit", "replay")])
def test_help_says_what_it_does(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, "--help") == 0
    assert "Usage: skynet" in capsys.readouterr().out
