# SPDX-License-Identifier: Apache-2.0
"""What of a conversation is embedded."""

from __future__ import annotations

from collections.abc import Sequence

from bls.errors import invalid
from bls.limits import LIMITS
from bls.request import Message


def context_text(messages: Sequence[Message]) -> str:
    """The last user messages, newest last, one a line; at most `LIMITS.context_chars` characters.

    The newest is always there, if need be with its beginning cut off: its end says what is asked.
    Raises `empty_text` when no user has said anything.
    """
    said = [message.content.strip() for message in messages if message.role == "user"]
    said = [text for text in said if text][-LIMITS.context_messages :]
    if not said:
        raise invalid("empty_text", "There is no user message to embed.", "messages")
    return "\n".join(said)[-LIMITS.context_chars :]
