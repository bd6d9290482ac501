# SPDX-License-Identifier: Apache-2.0
"""Text is released only when it is whole, and never past a stop string."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from bls.reply.text import TextStream


def stream(tokenizer: Tokenizer, text: str, stop: tuple[str, ...] = ()) -> tuple[list[str], bool]:
    out = TextStream(tokenizer, stop)
    pieces = []
    for token in tokenizer.encode(text, add_special_tokens=False).ids:
        pieces.append(out.push(token))
        if out.stopped:
            break
    pieces.append(out.flush())
    return pieces, out.stopped


@pytest.mark.parametrize("text", ["Plan a trip.", "naïve café ☕ 漢字 🏔️🏔️", "a\n\n  b\tc", "1234 5"])
def test_pieces_join_to_the_text(tokenizer: Tokenizer, text: str) -> None:
    pieces, stopped = stream(tokenizer, text)
    assert "".join(pieces) == text
    assert not stopped
    assert all("\ufffd" not in piece for piece in pieces)


def test_stop_string_over_several_tokens_is_never_shown(tokenizer: Tokenizer) -> None:
    pieces, stopped = stream(tokenizer, "one two END three", ("END th",))
    assert stopped
    assert "".join(pieces) == "one two "


def test_a_false_start_of_a_stop_string_is_released(tokenizer: Tokenizer) -> None:
    pieces, stopped = stream(tokenizer, "one two ENORMOUS", ("END",))
    assert not stopped
    assert "".join(pieces) == "one two ENORMOUS"


def test_the_earliest_stop_string_wins(tokenizer: Tokenizer) -> None:
    pieces, _ = stream(tokenizer, "a b c d e", (" d", " b"))
    assert "".join(pieces) == "a"
