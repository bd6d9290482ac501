# SPDX-License-Identifier: Apache-2.0
"""`python -m export.context_encoder fit`: a folder that the server loads, or one line of error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bls.brain.context.encoder import ContextEncoder
from export.context_encoder.__main__ import main

THINGS = ("hotel", "train", "shoes", "coffee", "phone", "garden", "guitar", "winter coat")
PLACES = ("in Lisbon", "by the sea", "for two", "under 50 dollars", "that lasts")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["export.context_encoder", *arguments])
    return main()


def test_fit_writes_what_the_encoder_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(f"A {thing} {place}" for thing in THINGS for place in PLACES))
    out = tmp_path / "2"
    arguments = ("fit", "--texts", str(texts), "--out", str(out), "--version", "2")
    assert run(monkeypatch, *arguments) == 0
    assert "pair_correlation" in capsys.readouterr().out
    encoder = ContextEncoder(out)
    assert encoder.version == "2" and encoder.vector("a hotel").shape == (128,)
    first = (out / "p_k.safetensors").read_bytes()
    assert run(monkeypatch, *arguments) == 0
    assert (out / "p_k.safetensors").read_bytes() == first


def test_texts_that_cannot_be_read_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("fit", "--texts", str(tmp_path / "none.txt"), "--out", str(tmp_path))
    assert run(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err.startswith("texts_invalid: none.txt")
