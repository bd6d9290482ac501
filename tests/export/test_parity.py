# SPDX-License-Identifier: Apache-2.0
"""A parity gate on the real model: few tokens, floors with slack below the measured figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from export.errors import ExportError
from export.llm import parity
from export.llm.parity import SHIPPED_CHATS, measure


def test_the_real_model_agrees_with_float32(real_llm: Path) -> None:
    result = measure(real_llm, "auto", SHIPPED_CHATS, tokens=200, rows=2)
    assert result.positions >= 200
    assert result.prefill_positions >= 4
    assert result.top1_agreement >= 0.93
    assert result.kl_mean <= 0.01
    assert result.perplexity_exported <= result.perplexity_reference * 1.03


def test_the_command_writes_a_report(
    tiny_llm: Path,
    tiny_source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["parity", "--model", str(tiny_llm), "--source", str(tiny_source)]
    monkeypatch.setattr(sys, "argv", [*arguments, "--tokens", "100"])
    assert parity.main() == 0
    report = json.loads((tiny_llm / "parity.json").read_text())
    assert report["positions"] >= 100
    assert report["top1_agreement"] > 0.9
    assert "kl_mean" in capsys.readouterr().out


def test_an_empty_text_is_refused(tiny_llm: Path, tiny_source: Path, tmp_path: Path) -> None:
    text = tmp_path / "empty.jsonl"
    text.write_text('{"turns": []}\n')
    with pytest.raises(ExportError) as caught:
        measure(tiny_llm, str(tiny_source), text, tokens=10)
    assert caught.value.code == "text_empty"
