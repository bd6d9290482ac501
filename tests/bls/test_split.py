# SPDX-License-Identifier: Apache-2.0
"""Head and tail of a chat: nothing is lost between them, the tail keeps to its room."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bls.limits import LIMITS
from bls.prompt.split import Split, split
from bls.prompt.template import ChatTemplate, Turn
from export.manifest import LLMManifest

SYSTEM = Turn("system", "Be brief.")
MARGIN = 8
"""A text that is cut is tokenised anew."""


@pytest.fixture(scope="module")
def template(tokenizer: Tokenizer, manifest: LLMManifest) -> ChatTemplate:
    return ChatTemplate(manifest.chat_template, tokenizer)


def turns(count: int, words: int) -> list[Turn]:
    roles = ("user", "assistant")
    return [Turn(roles[i % 2], f"t{i} " + "word " * words) for i in range(count)]


def cut(said: list[Turn], template: ChatTemplate) -> Split:
    return split([SYSTEM, *said], template, LIMITS)


def rendered(found: tuple[Turn, ...], template: ChatTemplate) -> int:
    opening = len(template.render([SYSTEM], reply_header=False))
    return len(template.render([SYSTEM, *found], reply_header=False)) - opening


def test_a_short_chat_is_whole(template: ChatTemplate) -> None:
    found = cut(turns(3, 10), template)
    assert found.whole and found.tail == found.alone == tuple(turns(3, 10))


@pytest.mark.spec("CG-U-01")
@settings(max_examples=12, deadline=None)
@given(count=st.integers(1, 60), words=st.integers(1, 80))
def test_head_and_tail_are_the_chat(count: int, words: int, template: ChatTemplate) -> None:
    said = turns(count, words)
    if len(template.render([SYSTEM, *said], reply_header=True)) > LIMITS.prompt_tokens:
        return
    found = cut(said, template)
    head = template.decode(found.head)
    if found.whole:
        assert found.tail == tuple(said)
        return
    assert rendered(found.tail, template) <= LIMITS.tail_tokens
    assert len(template.render([SYSTEM, *found.alone], True)) <= LIMITS.prefix_tokens
    for i in range(count):  # the marks of the turns: each in one of the two, in order
        assert (f"t{i} " in head) != any(turn.text.startswith(f"t{i} ") for turn in found.tail)
    words_kept = head.split().count("word") + sum(t.text.split().count("word") for t in found.tail)
    assert abs(words_kept - count * words) <= 2


def test_the_newest_message_is_always_there(template: ChatTemplate) -> None:
    found = cut([*turns(4, 10), Turn("user", "word " * 3_000 + "the end")], template)
    assert found.tail[-1].text.endswith("the end")
    assert LIMITS.tail_tokens - MARGIN <= rendered(found.tail, template) <= LIMITS.tail_tokens


def test_the_head_says_who_spoke(template: ChatTemplate) -> None:
    head = template.decode(cut(turns(30, 40), template).head)
    assert head.startswith("User: t0 ") and "\nAssistant: t1 " in head


def test_without_summaries_the_tail_takes_the_room(template: ChatTemplate) -> None:
    found = cut(turns(30, 40), template)
    assert len(found.alone) > len(found.tail)
