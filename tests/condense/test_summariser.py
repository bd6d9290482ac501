# SPDX-License-Identifier: Apache-2.0
"""A version of the summariser: what it says, what it refuses, what it is checked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from bls.condense.spelling import Spelling, content_words
from bls.condense.summariser import HS_BART, Summariser, fitting
from bls.contracts import SUMMARY_TOKENS
from bls.errors import SkynetError
from export.errors import ExportError
from tests.condense.stub import seal, write_version

TEXT = (
    "User: I want a table at Bella Napoli in Palo Alto for 4 at 19:30 on March 12th.\n"
    "Assistant: Your table is booked. Their phone number is 650-555-0199. Anything else I can do?"
)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory, llm_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("summariser") / "v1"
    return write_version(folder, llm_folder / "tokenizer.json")


def test_whole_words_in_their_order(version: Path, tokenizer: Tokenizer) -> None:
    summariser = Summariser(version)
    window = tokenizer.encode(TEXT).ids[:64]
    (summary,) = summariser([window])
    said, whole = tokenizer.decode(summary), tokenizer.decode(window)
    assert 24 <= len(summary) <= SUMMARY_TOKENS
    assert whole.startswith(said[:40]) and set(content_words(said)) <= set(content_words(whole))


def test_a_short_window_is_its_own_summary(version: Path) -> None:
    windows = [list(range(50, 82)), [7], list(range(50, 114))]
    summaries = Summariser(version)(windows)
    assert summaries[:2] == windows[:2] and len(summaries[2]) <= SUMMARY_TOKENS


def test_hs_bart_says_places_until_the_end(tmp_path: Path, llm_folder: Path) -> None:
    folder = write_version(tmp_path / "bart", llm_folder / "tokenizer.json", HS_BART)
    (summary,) = Summariser(folder)([list(range(100, 164))])
    assert summary == list(range(100, 120, 2))


@pytest.mark.parametrize("window", [[], list(range(65)), [-1, 2], [1_000_000]])
def test_a_window_that_is_none_is_refused(version: Path, window: list[int]) -> None:
    with pytest.raises(SkynetError) as caught:
        Summariser(version)([window])
    assert caught.value.code == "bad_window"


@pytest.mark.parametrize("spoilt", ["model.onnx", "tokenizer.json"])
def test_a_changed_file_is_not_loaded(tmp_path: Path, llm_folder: Path, spoilt: str) -> None:
    folder = write_version(tmp_path / "v", llm_folder / "tokenizer.json")
    with (folder / spoilt).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ExportError) as caught:
        Summariser(folder)
    assert caught.value.code == "model_hash_mismatch"


def test_an_unknown_kind_is_not_loaded(tmp_path: Path, llm_folder: Path) -> None:
    folder = write_version(tmp_path / "v", llm_folder / "tokenizer.json")
    seal(folder, "poetry")
    with pytest.raises(SkynetError) as caught:
        Summariser(folder)
    assert caught.value.code == "model_invalid"


def test_units_are_words_as_they_are_written(tokenizer: Tokenizer) -> None:
    spelling = Spelling.of(tokenizer)
    ids = tokenizer.encode("Call 650-555-0199 at 19:30, please.\nThe fee is $20?").ids
    units = spelling.units(ids)
    assert [unit.letters for unit in units] == [
        *("call", "6505550199", "at", "1930", "", "please", "", "the", "fee", "is", "20", "")
    ]
    assert [unit.letters for unit in units if unit.content] == [
        *("call", "6505550199", "1930", "fee", "20")
    ]
    assert [token for u in units for token in ids[u.start : u.end]] == ids
    assert spelling.units([]) == []


def test_what_does_not_fit_makes_room_for_what_does(tokenizer: Tokenizer) -> None:
    spelling = Spelling.of(tokenizer)
    units = spelling.units(tokenizer.encode("a 650-555-0199 b c d").ids)
    kept = fitting(units, [1.0, 5.0, 2.0, 3.0, 4.0], room=3)
    assert [unit.letters for unit in kept] == ["b", "c", "d"]
