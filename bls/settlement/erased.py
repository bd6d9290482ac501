# SPDX-License-Identifier: Apache-2.0
"""A line whose content was erased, as the law asks for: its hash stays, so the chain still holds.

    {"erased":"<digest of the body>","audit":"<number of the erasure>"        ,"chain":"..."}

It is as long as the line it takes the place of, so everything after it stays where it was: readers
that remember a place in a file, the shipping of events among them, need not know.
"""

from __future__ import annotations

import re

from bls.errors import SkynetError
from bls.settlement.chain import digest

ERASED = b'{"erased":"'
"""How such a line begins, and no other."""

_FORM = re.compile(rb'\{"erased":"([0-9a-f]{32})","audit":"([0-9a-z_]{1,32})" *\}')


def erase(body: bytes, audit: str) -> bytes:
    """What takes the place of `body`, with its length; an erased body stays as it is.

    Args:
        audit: the erasure's number, a-z, 0-9 and _, at most 32.

    Raises:
        SkynetError: `line_too_short`: nothing that is written here is.
    """
    if digest_of(body) is not None:
        return body
    head = f'{{"erased":"{digest(body)}","audit":"{audit}"'.encode()
    if len(head) >= len(body):
        raise SkynetError("line_too_short", "A line is shorter than what takes its place.", 500)
    return head.ljust(len(body) - 1) + b"}"


def digest_of(body: bytes) -> str | None:
    """The digest of the body that was here; None for a line that is not erased."""
    found = _FORM.fullmatch(body)
    return None if found is None else found[1].decode()
