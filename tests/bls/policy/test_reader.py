# SPDX-License-Identifier: Apache-2.0
"""Whatever is said, and however it is cut into tokens: what the reader gets passes the filter."""

from __future__ import annotations

from functools import cache
from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bls.policy.filter import load_filter
from bls.policy.reply import ReplyPolicy
from bls.policy.window import Window
from bls.reply.text import TextStream
from bls.settings import Settings
from tests.bls.policy.scripted import EOS, Scripted, Step, token_id

PIECES = (
    " f", "f", "ag", "agg", "ot", "in", "s", " nig", "ger", "ht", " c", "unt", "ry", " go", " kill",
    " yourself", " you", " P", "aki", "stan", ".", ",", "!", "\n", " ", "-", "*", "1", "4", "5",
    "9", "@", " play", "har", "bor", "com", " i", " will", " the", " a", " k", "ys", EOS,
)  # fmt: skip
REFUSED = (
    (" nig", "ger"), (" f", "ag"), (" f", "agg", "ot"), (" c", "unt"), (" P", "aki"), (" k", "ys"),
    (" go", " kill", " yourself"), (" i", " will", " kill", " you"), tuple("415-555-4151"),
    ("4", *"111111111111111"), (" play", "@", "har", "bor", ".", "com"),
)  # fmt: skip
FILTER = load_filter()


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(Settings().llm_folder() / "tokenizer.json"))


def pieces() -> st.SearchStrategy[str]:
    usable = [p for p in PIECES if len(tokenizer().encode(p, add_special_tokens=False).ids) == 1]
    return st.sampled_from(usable)


def spoken() -> st.SearchStrategy[list[str]]:
    """Refused words among scraps of others, so that most texts have something to refuse."""
    parts = st.sampled_from(REFUSED) | st.tuples(pieces())
    return st.lists(parts, min_size=1, max_size=6).map(lambda found: list(chain(*found)))


def steps() -> st.SearchStrategy[list[Step]]:
    candidates = st.lists(pieces(), min_size=1, max_size=4, unique=True).map(tuple)
    return (
        spoken()
        .flatmap(
            lambda chosen: st.tuples(*(st.builds(Step, st.just(one), candidates) for one in chosen))
        )
        .map(list)
    )


def read(played: list[Step], stop: tuple[str, ...]) -> str:
    """The reader's text, by the calls of the reply loop."""
    eos = token_id(tokenizer(), EOS)
    window, text = Window(tokenizer(), stop), TextStream(tokenizer(), stop)
    policy = ReplyPolicy(FILTER, window, frozenset(), frozenset({eos}), 0.7)
    decoder = Scripted(tokenizer(), tuple(played))
    shown = ""
    for index in range(len(played)):
        last = index + 1 == len(played)
        said = policy.rule(decoder.outcome(index), index, last)
        if said is None:
            break
        text.drop(policy.dropped)
        if said.token == eos:
            return shown + text.flush()
        shown += text.push(said.token, policy.held)
        if text.stopped:
            break
        shown += text.flush() if last else ""
    return shown


@settings(max_examples=200, deadline=None)
@given(steps(), st.sampled_from([(), ("in",), ("ot", "\n"), (" you", "g")]))
def test_the_reader_gets_nothing_that_is_refused(played: list[Step], stop: tuple[str, ...]) -> None:
    text = read(played, stop)
    assert FILTER.check(text, final=True).safe, text
    assert not any(word in text for word in stop)


@settings(max_examples=100, deadline=None)
@given(st.lists(pieces().filter(lambda piece: piece != EOS), min_size=1, max_size=40))
def test_a_text_without_a_refusal_is_shown_whole(said: list[str]) -> None:
    played = [Step(piece, (piece,)) for piece in said]
    whole = "".join(said)
    if all(FILTER.check(whole[:end], final=True).safe for end in range(1, len(whole) + 1)):
        assert read(played, ()) == whole


def test_the_pieces_are_tokens() -> None:
    """Most of them, or the tests above would say little."""
    ids = [tokenizer().encode(piece, add_special_tokens=False).ids for piece in PIECES]
    assert sum(len(one) == 1 for one in ids) > 0.8 * len(PIECES)
    assert all(token_id(tokenizer(), piece) for refused in REFUSED for piece in refused)
