# SPDX-License-Identifier: Apache-2.0
"""From the command line to the files: a whole audit on the tiny model."""

from __future__ import annotations

import json
import xml.etree.ElementTree as Xml
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from bls.audit import plot as plot_module
from bls.audit.bootstrap import means, ratios
from client import cli
from client.commands.incentives import PICTURE, REPORT


@pytest.fixture
def skynet(monkeypatch: pytest.MonkeyPatch, tiny: Path, tmp_path: Path) -> list[str]:
    """Arguments of a small audit of the tiny model."""
    monkeypatch.setenv("SKYNET_LLM", str(tiny))
    out = ["--out", str(tmp_path / "audit")]
    return ["--replies", "3", "--tokens", "6", "--bidders", "2", *out]


def run(*arguments: str) -> int:
    return int(cli.cli.main([*arguments], "skynet", standalone_mode=False) or 0)


def test_the_default_command_writes_a_report_and_a_plot(
    skynet: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", *skynet) == 0
    shown = capsys.readouterr().out
    for words in ("bid misreported", "Clarke = Myerson", "best constant factor", "token, sampling"):
        assert words in shown
    report = json.loads((tmp_path / "audit" / REPORT).read_text())
    assert report["ok"] is True and len(report["replies"]["games"]) == 3
    assert len(report["argmax"]["by_factor"]) == len(report["options"]["factors"])
    picture = tmp_path / "audit" / PICTURE
    assert 5_000 < picture.stat().st_size < 60_000
    assert Xml.parse(picture).getroot().tag.endswith("svg")


def test_the_same_seed_gives_the_same_figures(
    skynet: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for _ in range(2):
        assert run("audit", "incentives", "--json", *skynet) == 0
        report = json.loads(capsys.readouterr().out)
        found.append({name: report[name] for name in ("argmax", "sampling", "replies")})
    assert found[0] == found[1]


def test_without_matplotlib_only_the_plot_is_missing(
    skynet: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def absent(*given: object) -> None:
        raise ImportError("matplotlib")

    monkeypatch.setattr("client.commands.incentives.plot", absent)
    assert run("audit", *skynet) == 0
    assert "no plot" in capsys.readouterr().out
    assert (tmp_path / "audit" / REPORT).exists() and not (tmp_path / "audit" / PICTURE).exists()
    assert plot_module.plot is not absent


def test_intervals_resample_whole_replies() -> None:
    """Ten equal tokens of a reply are one observation, not ten."""
    rng = np.random.default_rng(0)
    per_reply = rng.normal(1.0, 1.0, 40)
    lone = means(list(range(40)), per_reply, seed=0)
    copied = means(np.repeat(range(40), 10).tolist(), np.repeat(per_reply, 10), seed=0)
    assert astuple(copied) == pytest.approx(astuple(lone), rel=1e-9)
    assert lone.low < per_reply.mean() < lone.high
    assert lone.high - lone.low == pytest.approx(2 * 1.96 * per_reply.std() / 40**0.5, rel=0.15)
    (same,) = ratios(list(range(40)), per_reply[:, None] * 3, per_reply, seed=1)
    assert (same.value, same.low, same.high) == pytest.approx((3, 3, 3))
