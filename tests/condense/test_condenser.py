# SPDX-License-Identifier: Apache-2.0
"""Summaries bounded, masked and kept; a summariser that is lost costs the summaries alone."""

from __future__ import annotations

import json

import pytest

from bls.condense.bound import WARNINGS
from bls.condense.bridge import Bridge
from bls.condense.condenser import LOG, MASKED
from bls.contracts import SUMMARY_TOKENS
from tests.condense.conftest import Make
from tests.condense.said import FirstHalf, Lines

HEAD = list(range(1_000, 1_200))


@pytest.mark.spec("CG-U-02")
def test_a_longer_summary_is_trimmed_and_told(make: Make, model: FirstHalf, lines: Lines) -> None:
    model.tokens = 50
    condenser = make()
    condensed = condenser.condense(HEAD[:64], 1)
    assert [len(one) for one in condensed.summaries] == [SUMMARY_TOKENS]
    assert condenser.stats.trimmed == 1
    (line,) = lines.of(WARNINGS)
    assert line["tokens"] == 50 and line["kept"] == SUMMARY_TOKENS


@pytest.mark.spec("CG-I-06")
def test_a_slur_is_masked_in_the_summary(make: Make, bridge: Bridge, lines: Lines) -> None:
    head = bridge.ids("You f4ggot, book the Hilton in Rome, mail a@b.org")
    condenser = make()
    (summary,) = condenser.condense(head, 1).summaries
    assert bridge.text(summary) == "You *** book the Hilton in Rome, mail a@b.org"
    assert condenser.stats.masked == 1
    (line,) = lines.of(MASKED)
    assert line["reasons"] == {"slur": 1}
    assert "f4g" not in json.dumps(lines.all)


def test_lines_have_no_words_and_no_salt(make: Make, bridge: Bridge, lines: Lines) -> None:
    make().condense(bridge.ids("the Hilton in Rome, please " * 8), 123_456_789)
    text = json.dumps(lines.all)
    assert "Hilton" not in text and "123456789" not in text
    (line,) = lines.of(LOG)
    assert {"convo_id", "windows_created", "tail_len"} <= line.keys()


@pytest.mark.spec("CG-C-04")
def test_without_a_summariser_the_windows_are_counted(make: Make, model: FirstHalf) -> None:
    condenser = make()
    model.down = True
    condensed = condenser.condense(HEAD, 1)
    assert condensed.summaries == () and condensed.windows == 4
    assert condenser.stats.failures == 1
    model.down = False
    assert len(condenser.condense(HEAD, 1).summaries) == 4, "a failure was kept"


def test_what_is_kept_is_not_asked_for_again(make: Make, model: FirstHalf) -> None:
    condenser = make()
    before = condenser.condense(HEAD[:192], 1)
    assert condenser.condense(HEAD[:192], 1) == before and model.windows == 3
    condenser.condense(HEAD, 1)
    assert model.windows == 4, "a chat that grew is asked for its new window only"
    condenser.condense(HEAD, 2)
    assert model.windows == 8, "another salt shares nothing"
    model.down = True
    assert len(condenser.condense([*HEAD[:192], 9, 9], 1).summaries) == 3


def test_two_tokenizers_go_through_text(llm_folder, tmp_path, bridge: Bridge) -> None:
    other = json.loads((llm_folder / "tokenizer.json").read_text())
    other["version"], other["model"]["merges"] = "1.0", other["model"]["merges"][:2_000]
    (tmp_path / "tokenizer.json").write_text(json.dumps(other))
    crossed = Bridge(llm_folder, tmp_path)
    ids = bridge.ids("a table for two at eight, in Palo Alto")
    there = crossed.to_summariser(ids)
    assert there != ids and len(there) <= 64
    assert bridge.text(crossed.to_llm(there)) == bridge.text(ids)
    assert len(crossed.to_summariser(ids * 6)) == 64
    assert bridge.to_summariser(ids) == ids == bridge.to_llm(ids)
