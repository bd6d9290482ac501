# SPDX-License-Identifier: Apache-2.0
"""The evaluation of a file of texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bls.policy import evaluate
from bls.policy.filter import load_filter


def test_counts_by_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("You faggot\nA nice day\nfuck\nfuck this\nDear Paki\n")
    monkeypatch.setattr("sys.argv", ["evaluate", str(file)])
    evaluate.main()
    report = json.loads(capsys.readouterr().out)
    assert (report["texts"], report["refused"]) == (5, 4)
    assert report["reasons"] == {"slur": 2, "profanity": 2}
    assert 0 < report["p50_us"] <= report["p95_us"]


def test_no_texts() -> None:
    report = evaluate.evaluate(load_filter(), [])
    assert (report["texts"], report["p50_us"]) == (0, None)
