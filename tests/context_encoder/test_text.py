# SPDX-License-Identifier: Apache-2.0
"""Which part of a conversation is embedded."""

from __future__ import annotations

import pytest

from bls.brain.context.text import context_text
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.request import Message


def chat(*said: tuple[str, str]) -> list[Message]:
    return [Message.model_validate({"role": role, "content": text}) for role, text in said]


def test_only_users_newest_last() -> None:
    messages = chat(
        ("system", "Be brief."), ("user", "Hotels? "), ("assistant", "Where?"), ("user", "Lisbon.")
    )
    assert context_text(messages) == "Hotels?\nLisbon."


def test_bounded_in_messages_and_characters() -> None:
    many = chat(*(("user", f"message {number}") for number in range(50)))
    assert context_text(many).splitlines() == [
        f"message {number}" for number in range(50 - LIMITS.context_messages, 50)
    ]
    long = chat(("user", "before"), ("user", "x" * LIMITS.context_chars + " and the end"))
    assert context_text(long).endswith(" and the end")
    assert len(context_text(long)) == LIMITS.context_chars


def test_no_user_is_refused() -> None:
    with pytest.raises(SkynetError) as raised:
        context_text(chat(("system", "Be brief.")))
    assert raised.value.code == "empty_text"
