# SPDX-License-Identifier: Apache-2.0
"""OpenAI's chat messages as plain (role, text) turns, with a code for each way to be wrong."""

from __future__ import annotations

from typing import Any

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS
from client.gateway.fields import is_neutral, unknown, unsupported

Turn = dict[str, str]

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "name": (),
    "refusal": (),
    "audio": (),
    "function_call": (),
    "tool_call_id": (),
    "tool_calls": ([],),
    "annotations": ([],),
}


def read_messages(raw: object) -> list[Turn]:
    """Turns ready for `ReplyRequest.messages`. Raises `SkynetError` with the field at fault."""
    if not isinstance(raw, list):
        raise invalid("invalid_value", "messages must be an array.", "messages")
    if not raw:
        raise invalid("empty", "messages must hold at least one message.", "messages")
    if len(raw) > LIMITS.messages:
        raise invalid("too_many", f"At most {LIMITS.messages} messages.", "messages")
    turns = [_turn(item, f"messages.{index}") for index, item in enumerate(raw)]
    if turns[-1]["role"] != "user":
        where = f"messages.{len(turns) - 1}.role"
        raise invalid("invalid_role", "The last message must have role 'user'.", where)
    return turns


def _turn(item: object, where: str) -> Turn:
    if not isinstance(item, dict):
        raise invalid("invalid_value", "A message must be an object.", where)
    for name, value in item.items():
        if name not in _NEUTRAL:
            if name not in ("role", "content"):
                raise unknown(f"{where}.{name}")
        elif value is not None and not is_neutral(value, _NEUTRAL[name]):
            raise unsupported(f"{where}.{name}")
    return {"role": _role(item, where), "content": _content(item, where)}


def _role(item: dict[str, Any], where: str) -> str:
    role = item.get("role")
    if role is None:
        raise _missing(f"{where}.role")
    if not isinstance(role, str) or role not in _ROLES:
        raise invalid(
            "invalid_role", "role must be system, developer, user or assistant.", f"{where}.role"
        )
    return _ROLES[role]


def _content(item: dict[str, Any], where: str) -> str:
    where = f"{where}.content"
    content = item.get("content")
    if content is None:
        raise _missing(where)
    text = content if isinstance(content, str) else _join(content, where)
    if not text.strip():
        raise invalid("empty_message", "The message is empty.", where)
    if len(text.encode()) > LIMITS.message_bytes:
        limit = f"A message holds at most {LIMITS.message_bytes} bytes."
        raise invalid("message_too_large", limit, where)
    return text


def _join(parts: object, where: str) -> str:
    if not isinstance(parts, list):
        raise invalid("invalid_value", "content must be a string or an array of parts.", where)
    return "".join(_part(part, f"{where}.{index}") for index, part in enumerate(parts))


def _part(part: object, where: str) -> str:
    if not isinstance(part, dict):
        raise invalid("invalid_value", "A content part must be an object.", where)
    if part.get("type") != "text":
        raise unsupported(f"{where}.type")
    for name in part.keys() - {"type", "text"}:
        raise unknown(f"{where}.{name}")
    text = part.get("text")
    if not isinstance(text, str):
        raise invalid("invalid_value", "text must be a string.", f"{where}.text")
    return text


def _missing(where: str) -> SkynetError:
    return invalid("missing_field", "This field is required.", where)
