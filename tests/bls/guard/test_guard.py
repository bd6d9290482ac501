# SPDX-License-Identifier: Apache-2.0
"""Rules and classifier together: uses, windows, faults, what is remembered, broken folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.contracts import Use, Verdict
from bls.errors import SkynetError
from bls.guard.guard import Guard, load_guard
from bls.guard.ruling import UNJUDGED
from bls.policy.filter import load_filter
from tests.bls.guard.tiny import write_guard


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return load_guard(write_guard(tmp_path / "guard"))


def judged(guard: Guard, text: str, use: Use) -> tuple[Verdict, str]:
    (ruling,) = guard.judge([text], use)
    return ruling.verdict, ruling.reason


@pytest.mark.spec("CG-I-06")
def test_an_abusive_user_is_flagged_and_answered(guard: Guard) -> None:
    """FLAGGED, not BLOCKED: the reply goes on, its summary is masked."""
    assert judged(guard, "something vile", Use.USER) == (Verdict.FLAGGED, "toxic")
    assert judged(guard, "you stupid bitch", Use.USER) == (Verdict.FLAGGED, "toxic")
    assert guard.stats.flagged == {(("reason", "toxic"),): 2}


def test_each_use_has_its_threshold(guard: Guard) -> None:
    assert judged(guard, "vile", Use.AD) == (Verdict.BLOCKED, "toxic")
    assert judged(guard, "vile", Use.REPLY) == (Verdict.OK, "")
    assert guard.judge(["vile"], Use.REPLY)[0].score == pytest.approx(0.9)


def test_a_rule_decides_before_the_classifier(guard: Guard) -> None:
    (ruling,) = guard.judge(["I want to die, vile"], Use.USER)
    assert (ruling.verdict, ruling.reason, ruling.score) == (Verdict.NO_AD, "self_harm", 0)


def test_abuse_is_more_serious_than_distress(guard: Guard) -> None:
    assert judged(guard, "I can't pay my bills", Use.USER) == (Verdict.NO_AD, "money_trouble")
    assert judged(guard, "I can't pay my bills, vile", Use.USER) == (Verdict.FLAGGED, "toxic")


def test_a_word_anywhere_in_a_long_text_is_found(guard: Guard) -> None:
    for text in ("vile " + "nice " * 60, "nice " * 30 + "vile " + "nice " * 30):
        assert judged(guard, text, Use.USER)[0] is Verdict.FLAGGED
    assert judged(guard, "nice " * 60, Use.USER)[0] is Verdict.OK


def test_far_back_in_an_endless_text_only_rules_read(guard: Guard) -> None:
    rest = "nice " * 3_000
    assert judged(guard, "vile " + rest, Use.USER)[0] is Verdict.OK
    assert judged(guard, "I want to die. " + rest, Use.USER)[1] == "self_harm"


@pytest.mark.parametrize("text", ["", " ", "@somebody https://x.y/z", "\u200b", "\ud800"])
def test_texts_without_words(guard: Guard, text: str) -> None:
    assert judged(guard, text, Use.USER) == (Verdict.OK, "")


def test_a_fault_leaves_the_rules_but_blocks_ads(tmp_path: Path) -> None:
    """The graph answers what is no probability."""
    guard = load_guard(write_guard(tmp_path / "guard", scores=(7.0, 7.0, 7.0)))
    assert judged(guard, "nice", Use.USER) == (Verdict.OK, "")
    assert judged(guard, "I can't pay my bills", Use.USER) == (Verdict.NO_AD, "money_trouble")
    assert judged(guard, "nice", Use.REPLY) == (Verdict.OK, "")
    assert judged(guard, "nice", Use.AD) == (Verdict.BLOCKED, UNJUDGED)
    assert guard.stats.faults == 4
    assert guard.stats.remembered == 0


def test_rulings_are_remembered_by_use(guard: Guard) -> None:
    first = guard.judge(["vile", "vile"], Use.AD)
    assert first[0] == first[1] == guard.judge(["vile"], Use.AD)[0]
    assert guard.stats.remembered == 2
    assert guard.judge(["vile"], Use.REPLY)[0].ok


def test_too_many_texts_are_refused(guard: Guard) -> None:
    with pytest.raises(SkynetError) as raised:
        guard.judge(["nice"] * 33, Use.USER)
    assert raised.value.code == "too_many_texts"


@pytest.mark.parametrize("thresholds", [{}, {"user": 0.5, "ad": 0, "reply": 1}, {"user": "x"}])
def test_thresholds_must_be_there(tmp_path: Path, thresholds: dict[str, float]) -> None:
    with pytest.raises(SkynetError) as raised:
        load_guard(write_guard(tmp_path / "guard", thresholds=thresholds))
    assert raised.value.code == "bad_policy_model"


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json"])
def test_a_changed_or_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_guard(tmp_path / "guard")
    for content in (b"changed", None):
        path = folder / name
        path.write_bytes(content) if content else path.unlink()
        with pytest.raises(SkynetError) as raised:
            load_guard(folder)
        assert raised.value.code == "bad_policy_model"


def test_the_same_folder_serves_the_output_filter(tmp_path: Path) -> None:
    """With the threshold of replies."""
    filtered = load_filter(model=str(write_guard(tmp_path / "guard", scores=(0.1, 0.2, 0.97))))
    assert not filtered.check("something vile ").safe
    assert filtered.check("something nice ").safe
