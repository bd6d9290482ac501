# SPDX-License-Identifier: Apache-2.0
"""One place in a folded text where a rule applies."""

from __future__ import annotations

from typing import NamedTuple


class Match(NamedTuple):
    """`folded[start:end]` matched.

    Attributes:
        whole: it counts only when no letter follows, so at the end of a text it is still open.
        value: what was found, in a form that compares equal however it was written; for rules
            about contacts, otherwise "".
    """

    reason: str
    start: int
    end: int
    whole: bool = False
    value: str = ""
