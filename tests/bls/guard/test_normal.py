# SPDX-License-Identifier: Apache-2.0
"""One plain spelling for many."""

from __future__ import annotations

import pytest

from bls.guard.normal import normal


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("f<b>oo</b>lish", "foolish"),
        ("fo<!-- x -->olish<br>thing", "foolish thing"),
        ("&#102;oolish &amp; so", "foolish & so"),
        ("f.o.o.l.i.s.h  f o o l", "foolish fool"),
        ("f0ol1sh $tupid", "foolish stupid"),
        ("fooo\u200blish", "folish"),
        ("\uff26oolish \u0455tuff", "foolish stuff"),
        ("see [the page](https://x.y/z) @someone", "see the page"),
        ("at 7pm, 300mbps, b2", "at 7pm, 300mbps, b2"),
        ("!!!!!! https://a.b/c", "!"),
        ("", ""),
    ],
)
def test_spellings(text: str, plain: str) -> None:
    assert normal(text) == plain


@pytest.mark.parametrize("part", ["<a", "](", "a ", "&#1", "@a", "http://", "1a", "a.", "*"])
def test_long_hostile_texts_are_read(part: str) -> None:
    assert len(normal(part * (30_000 // len(part)))) <= 40_000
