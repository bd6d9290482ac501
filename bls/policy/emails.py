# SPDX-License-Identifier: Apache-2.0
"""E-mail addresses. A match ends with the second letter of the top domain: whatever follows, it
stays an address."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bls.policy.match import Match

_LOCAL_PART = re.compile(r"[a-z0-9.+%-]{1,64}\Z")
_LONGEST_LOCAL_PART = 64
_DOMAIN = re.compile(
    r"(?=[0-9-]{0,62}[a-z])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,4}?\.[a-z]{2,24}"
)
_RESERVED = re.compile(r"(?:.*\.)?example(?:\.(?:com?|net?|org?))?|.*\.(?:test|invalid)")
"""Domains nobody can own (RFC 2606), also while their last letter is still to come."""

_PLACEHOLDERS = frozenset(
    {"email", "firstname.lastname", "git", "name", "someone", "user", "username", "you"}
    | {"your.email", "your.name", "youremail", "yourname"}
)
_UNFINISHED = re.compile(r"(?<=[\w.+%-])@[\w.-]*\Z")


def emails(folded: str) -> Iterator[Match]:
    """Addresses in folded text that may be a person's."""
    at = folded.find("@")
    while at >= 0:
        local = _LOCAL_PART.search(folded, max(0, at - _LONGEST_LOCAL_PART), at)
        domain = _DOMAIN.match(folded, at + 1)
        if local and domain and _somebodys(local[0], domain[0]):
            value = folded[local.start() : domain.end()]
            yield Match("email", local.start(), domain.end(), value=value)
        at = folded.find("@", at + 1)


def unfinished_email(tail: str) -> int:
    """Characters at the end of the text, from its `@`, that may become an address."""
    begun = _UNFINISHED.search(tail)
    return len(begun[0]) if begun else 0


def _somebodys(local: str, domain: str) -> bool:
    return local not in _PLACEHOLDERS and not _RESERVED.fullmatch(domain)
