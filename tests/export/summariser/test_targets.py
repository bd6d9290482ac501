# SPDX-License-Identifier: Apache-2.0
"""What a summary should keep, and what the figures say of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from bls.condense.spelling import Spelling
from bls.contracts import SUMMARY_TOKENS
from export.errors import ExportError
from export.summariser.chats import Chat, padded, read_chats, transcript, windows_of
from export.summariser.methods import Centroid, lead, rule
from export.summariser.rouge import measure
from export.summariser.targets import Rarity, TargetMaker
from export.summariser.teacher import aligned

TURNS = (
    ("user", "I would like to find a place to eat, please. Something in Palo Alto for 4 at 19:30."),
    ("assistant", "There is Bella Napoli, it is Italian. Their number is 650-555-0199."),
    ("user", "That is good, please book it for me. Is there anything else that I should know?"),
)
RARITY = Rarity({"like": 0.1, "place": 0.3, "find": 0.2, "good": 0.1}, 5.0)


@pytest.fixture(scope="module")
def spelling(tokenizer: Tokenizer) -> Spelling:
    return Spelling.of(tokenizer)


def test_names_and_numbers_are_kept(tokenizer: Tokenizer, spelling: Spelling) -> None:
    window = transcript(tokenizer, TURNS)[:64]
    keep = TargetMaker(spelling, RARITY).keep(window)
    said = tokenizer.decode([t for t, kept in zip(window, keep, strict=True) if kept])
    assert keep.sum() <= SUMMARY_TOKENS
    assert all(name in said for name in ("Palo Alto", "19:30", "Bella Napoli"))


def test_what_is_said_again_is_worth_more(tokenizer: Tokenizer, spelling: Spelling) -> None:
    words = (
        "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november"
    )
    window = tokenizer.encode(f"{words} oscar papa quebec romeo sierra tango uniform victor").ids[
        :64
    ]
    maker = TargetMaker(spelling, Rarity({}, 5.0))
    late = tokenizer.decode(
        [t for t, kept in zip(window, maker.keep(window, "tango sierra"), strict=True) if kept]
    )
    assert "tango" in late and "sierra" in late
    ahead_of_nothing = TargetMaker(spelling, Rarity({}, 5.0), ahead=False)
    assert (ahead_of_nothing.keep(window, "tango") == maker.keep(window)).all()


def test_windows_are_the_condensers(tokenizer: Tokenizer) -> None:
    ids = transcript(tokenizer, TURNS)
    assert tokenizer.decode(ids).startswith("User: I would like to find")
    windows = list(windows_of(tokenizer, Chat("c", TURNS)))
    assert [t for window, _ in windows for t in window] == ids
    assert windows[-1][1] == "" and padded([windows[0][0]], 64).shape == (1, 64)


def test_a_dialogue_is_always_in_the_same_split() -> None:
    splits = [Chat(f"1_{n:05}", ()).split for n in range(500)]
    assert splits == [Chat(f"1_{n:05}", ()).split for n in range(500)]
    assert 300 < splits.count("train") < 450 and splits.count("test") > 20


def test_a_file_that_has_no_dialogues_is_refused(tmp_path: Path) -> None:
    good = {"id": "1", "turns": [{"role": "user", "content": "hello"}]}
    path = tmp_path / "chats.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(good).encode()))
    assert read_chats(path) == [Chat("1", (("user", "hello"),))]
    for spoilt in ('{"id": "1"}', "none", '{"id": "1", "turns": 3}'):
        (tmp_path / "bad.jsonl").write_text(spoilt)
        with pytest.raises(ExportError) as caught:
            read_chats(tmp_path / "bad.jsonl")
        assert caught.value.code == "dataset_invalid"


def test_every_method_says_at_most_32_tokens(tokenizer: Tokenizer, spelling: Spelling) -> None:
    window = transcript(tokenizer, TURNS)[:64]
    for method in (lead, Centroid(tokenizer), rule(spelling, RARITY)):
        (said,) = method([window])
        assert 0 < len(said) <= SUMMARY_TOKENS


def test_the_drop_is_what_is_lost_of_the_content_words() -> None:
    whole = ["please book a table in Rome for the 3 friends"]
    assert measure(whole, whole, [10]).drop == pytest.approx(0.0)
    assert measure(whole, ["book Rome"], [2]).drop == pytest.approx(1 - 2 / 5)
    assert measure(whole, ["the for a in"], [4]).drop == pytest.approx(1.0)
    assert measure(whole, ["book Rome"], [2]).f1 < 0.5


def test_words_that_a_teacher_speaks_of(tokenizer: Tokenizer, spelling: Spelling) -> None:
    window = transcript(tokenizer, TURNS)[:64]
    keep = aligned(spelling, window, "They eat at Bella Napoli at 19:30; it is Bella.")
    said = tokenizer.decode([t for t, kept in zip(window, keep, strict=True) if kept])
    assert said.split() == ["eat", "Bella", "Napoli"] or "Bella Napoli" in said
    assert keep.dtype == np.bool_ and keep.sum() <= SUMMARY_TOKENS
