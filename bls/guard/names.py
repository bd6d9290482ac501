# SPDX-License-Identifier: Apache-2.0
"""Names of people, where a text says that they are: "my name is ...", "Dr. ...", "Dear ...".

There is no list of names: a list takes "Will", "Grace" and "Paris" out of ordinary sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = r"[A-Z\u00c0-\u00de][\w'\u2019-]{1,24}"
_NAME = rf"({_WORD}(?: (?:(?:de|van|von|der|la|al|bin) ){{0,2}}{_WORD}){{0,3}})"
_SAID = re.compile(
    r"\b(?:[Mm]y (?:full |first |last )?name(?: is|'s)|[Ii]'?m called|[Cc]all me|"
    rf"[Ii]n the name of|[Tt]his is|[Ss]igned,?|[Nn]ame:) {_NAME}"
)
_TITLED = re.compile(rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Frau|Mme|Sra?)\.? {_NAME}")
_GREETED = re.compile(rf"(?:^|\n|[.!?] )(?:Dear|Hi|Hello|Hey) {_NAME}(?=[,!.\n]|$)")


def names(text: str) -> Iterator[tuple[int, int]]:
    """Where they begin and end."""
    for pattern in (_SAID, _TITLED, _GREETED):
        yield from (match.span(1) for match in pattern.finditer(text))
