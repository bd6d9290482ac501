# SPDX-License-Identifier: Apache-2.0
"""A trained version on other sessions: figures, drivers apart, a threshold chosen elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bls.phantom.recorded import read_sessions, write_sessions
from export.agent_score.judge import HEAD, Judged, figures, judge, main, report
from tests.phantom.score.drawn import session


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sessions that `trained` did not see."""
    path = tmp_path_factory.mktemp("other") / "other.jsonl"
    drivers = ("crawler", "planner", "browser", "dreamer")
    write_sessions(path, [session(driver, seed) for driver in drivers for seed in range(100, 110)])
    return path


@pytest.mark.spec("PH-12")
def test_a_version_judges_other_sessions(trained: Path, other: Path) -> None:
    found = judge([other], trained)
    assert len(found.score) == len([*read_sessions(other)])
    assert ((found.score > 0) & (found.score < 1)).all()
    assert found.score[found.agent].mean() > found.score[~found.agent].mean()


@pytest.mark.spec("PH-12")
def test_figures_of_known_and_of_unseen_drivers() -> None:
    agent = np.array([True, True, True, False, False])
    driver = np.array(["crawler", "crawler", "llm", "browser", "browser"])
    found = Judged(agent, driver, np.array([0.9, 0.8, 0.1, 0.2, 0.3]))
    text = report(found, ["llm"], 0.3, 0.75)
    known, strange = (line.split(" | ") for line in text.splitlines()[2:4])
    assert known[0].endswith("known drivers") and known[1] == "4"
    assert known[2].startswith("1.000 ") and known[4:] == [
        "1.00, 1.00",
        "1.000",
        "1.00",
        "0 of 2 |",
    ]
    assert strange[0].endswith("llm, never seen") and strange[1] == "3"
    assert strange[2].startswith("0.000 ") and strange[6] == "0.00"
    assert "| llm | 1 | 0.10 | 0% |" in text
    assert "0.75" in text
    assert "Threshold" not in report(found, [], 0.3, None)
    assert "known drivers" not in report(found, ["llm", "crawler"], 0.3, None)
    assert len(figures("a", found, 0.3, None)) == len(figures("a", found, 0.3, 0.5)) == len(HEAD)


def test_the_command(trained: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--sessions", str(other), "--model", str(trained), "--chosen-on", str(other)]
    assert main(told) == 0
    said = capsys.readouterr().out
    assert "| crawler | " in said and "Threshold for 95 % precision: " in said


@pytest.mark.parametrize(
    ("more", "code"),
    [(["--unseen", "nobody"], "sessions_missing"), (["--model", "/nowhere"], "model_missing")],
)
def test_refused(
    trained: Path, other: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: str
) -> None:
    assert main(["--sessions", str(other), "--model", str(trained), *more]) == 2
    assert capsys.readouterr().err.startswith(code)
