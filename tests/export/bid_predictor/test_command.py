# SPDX-License-Identifier: Apache-2.0
"""`python -m export.bid_predictor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.bid_predictor import __main__ as command
from export.bid_predictor import robustness
from export.bid_predictor.robustness import Row
from pipelines_dagster.defs.market.params import ATTACKS


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["robustness", "--model", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("model_missing: ")
    arguments = ["train", "--dataset", str(tmp_path), "--out", str(tmp_path / "out")]
    assert command.main(arguments) == 2
    assert capsys.readouterr().err.startswith("dataset_missing: ")


@pytest.mark.parametrize(("ks", "status"), [(0.01, 0), (0.2, 1)])
def test_the_gate_is_the_exit_status(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ks: float,
    status: int,
) -> None:
    rows = [Row(name, view, 1, 0.1, ks) for name in ATTACKS for view in ("history", "market")]
    monkeypatch.setattr(robustness, "run", lambda model, seed: rows)
    assert command.main(["robustness", "--log", str(tmp_path)]) == status
    assert ("the gate passes" in capsys.readouterr().out) == (status == 0)
    assert len(list(tmp_path.glob("robust.*.metric"))) == len(ATTACKS)
