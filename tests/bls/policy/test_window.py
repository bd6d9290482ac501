# SPDX-License-Identifier: Apache-2.0
"""The window is the end of what the reader gets, stop strings and dropped text included."""

from __future__ import annotations

from tokenizers import Tokenizer

from bls.policy.window import Window


def feed(window: Window, tokenizer: Tokenizer, text: str) -> None:
    for token in tokenizer.encode(text, add_special_tokens=False).ids:
        window.accept(window.draft(token))


def test_it_decodes_as_the_text_is(tokenizer: Tokenizer) -> None:
    window = Window(tokenizer)
    feed(window, tokenizer, "naïve café ☕ 漢字")
    assert window.text == "naïve café ☕ 漢字"


def test_it_slides(tokenizer: Tokenizer) -> None:
    window = Window(tokenizer, size=10)
    feed(window, tokenizer, "one two three four five")
    assert window.text == " four five"


def test_a_draft_changes_nothing(tokenizer: Tokenizer) -> None:
    window = Window(tokenizer)
    feed(window, tokenizer, "one")
    first, second = tokenizer.encode(" two three", add_special_tokens=False).ids
    drafts = [window.draft(token) for token in (first, second)]
    assert [draft.text for draft in drafts] == ["one two", "one three"]
    assert all(draft.since == 3 and draft.adds_text for draft in drafts)
    assert window.text == "one"


def test_a_draft_ends_at_a_stop_string(tokenizer: Tokenizer) -> None:
    window = Window(tokenizer, stop=("o th", "zzz"))
    feed(window, tokenizer, "one two")
    draft = window.draft(tokenizer.encode(" three", add_special_tokens=False).ids[0])
    assert draft.stopped and draft.adds_text
    assert (draft.text, draft.since) == ("one tw", 6)


def test_half_a_character_adds_nothing(tokenizer: Tokenizer) -> None:
    window = Window(tokenizer)
    tokens = tokenizer.encode("🏔", add_special_tokens=False).ids
    assert len(tokens) > 1
    draft = window.draft(tokens[0])
    assert not draft.adds_text and draft.text == ""


def test_dropped_text_is_forgotten(tokenizer: Tokenizer) -> None:
    window = Window(tokenizer)
    feed(window, tokenizer, "one two")
    window.drop(3)
    assert window.text == "one "
    window.drop(0)
    feed(window, tokenizer, " three")
    assert window.text == "one  three"
