# SPDX-License-Identifier: Apache-2.0
"""Whose data are to go: a conversation, an advertiser, a creative, a context or a session of the
shop, nothing else.

An id has the form that requests must have, so nothing that is not an id ever reaches a predicate.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum

from bls.errors import invalid
from bls.request import ID_PATTERN


class Kind(Enum):
    """A kind of id, and the columns that hold it, in any table and log."""

    CONV = ("conv", ID_PATTERN, ("conv_id", "convo_id", "rejected_conv_id"))
    ADV = ("adv", ID_PATTERN, ("advertiser", "adv_id", "rejected_advertiser"))
    MSG = ("msg", ID_PATTERN, ("msg_id",))
    CTX = ("ctx", ID_PATTERN, ("ctx_id", "ctx_key"))
    SESSION = ("session", ID_PATTERN, ("session_id",))

    def __init__(self, title: str, pattern: str, columns: tuple[str, ...]) -> None:
        self.title = title
        self.pattern = re.compile(pattern)
        self.columns = columns


@dataclass(frozen=True)
class Subject:
    """One id. Raises `bad_subject` for a text that no id is."""

    kind: Kind
    value: str

    def __post_init__(self) -> None:
        if not self.kind.pattern.fullmatch(self.value):
            raise invalid("bad_subject", f"Not an id of this kind: {self.kind.title}.")

    def digest(self, salt: str) -> str:
        """How the id is named once its data are gone: SHA-256, 64 hex digits."""
        return hash_of(self.kind, self.value, salt)

    def __repr__(self) -> str:
        return f"Subject({self.kind.title})"


def hash_of(kind: Kind, value: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}\n{kind.title}\n{value}".encode()).hexdigest()


def subject_of(
    conv_id: str = "", adv_id: str = "", msg_id: str = "", ctx_id: str = "", session_id: str = ""
) -> Subject:
    """The one that is given. Raises `one_subject` for none or several, `bad_subject`."""
    given = [
        (kind, value)
        for kind, value in zip(Kind, (conv_id, adv_id, msg_id, ctx_id, session_id), strict=True)
        if value
    ]
    if len(given) != 1:
        raise invalid("one_subject", "Name one of conv_id, adv_id, msg_id, ctx_id and session_id.")
    return Subject(*given[0])
