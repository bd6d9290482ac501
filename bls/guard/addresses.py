# SPDX-License-Identifier: Apache-2.0
"""Things that look like a street address: a house number and a street, or a post-office box.

English, German, French, Spanish and Italian ways of writing. Every repeat is bounded: linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_KIND = (
    "street|str|st|avenue|ave|boulevard|blvd|road|rd|lane|ln|highway|hwy|parkway|pkwy|terrace|"
    "crescent|expressway|expy|freeway|fwy|alley|turnpike"
)
_WORD_KIND = (  # ordinary words too: only with capitals
    "Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Trail|Trl|Circle|Cir|Close|Mews|Row|Way|Walk|Wharf|"
    "Plaza|Center|Centre|Mall|Loop|Gardens|Gate|Hill|Park|Pier|Quay|Plz|Ter"
)
_NOT_A_STREET = (
    "am|pm|min|mins|minutes?|hours?|hrs?|days?|nights?|weeks?|months?|years?|star|stars|people|"
    "persons?|adults?|tickets?|rooms?|beds?|baths?|miles?|km|kilometers?|meters?|feet|percent|"
    "dollars?|usd|bucks|o|of|or|and|to|in|on|at|for|from|is|are|the|other|more|restaurants?|"
    "hotels?|seats?|passengers?|bags?|january|february|march|april|may|june|july|august|"
    "september|october|november|december|a\\.m|p\\.m"
)
_PART = r"[^\W\d_][\w'\u2019.-]{0,24}"
_CAPITAL = r"[A-Z\u00c0-\u00de][\w'\u2019.-]{0,24}"
_ORDINAL = r"[0-9]{1,3}(?:st|nd|rd|th)"
_NUMBER = r"(?<![\w.,/:$\u20ac\u00a3-])[0-9]{1,6}(?:-[0-9]{1,5})?[a-zA-Z]?"
_UNIT = r"(?:,? {0,2}(?:#|apt|apartment|suite|ste|unit|floor|fl|room|rm)\b\.? {0,2}#?[\w-]{1,6})?"
_COMPASS = r"(?: (?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?)?"
_PLAIN = rf"(?!(?i:{_NOT_A_STREET})\b)(?:{_PART}|{_ORDINAL})"
_ENGLISH = re.compile(
    rf"{_NUMBER},? (?:{_PLAIN},? ){{1,4}}?(?:{_KIND})\b{_COMPASS}{_UNIT}", re.IGNORECASE
)
_CAPITALISED = re.compile(
    rf"{_NUMBER},? (?:(?:{_CAPITAL}|{_ORDINAL}) ){{1,4}}?(?:{_WORD_KIND})\b{_COMPASS}(?i:{_UNIT})"
)
_SHORT = re.compile(
    rf"{_NUMBER} (?:(?:N|S|E|W|North|South|East|West|Southwest|Southeast|Northwest|Northeast)\.? )?"
    rf"(?:Broadway|(?:The )?Embarcadero|Plaza|(?:The )?Alameda|El Camino Real)\b{_UNIT}",
    re.IGNORECASE,
)
_ROMANCE = re.compile(
    r"(?:(?<![\w.,/-])[0-9]{1,5}(?: ?(?:bis|ter))?,? )?"
    r"\b(?i:rue|avenue|boulevard|place|quai|chemin|all\u00e9e|calle|avenida|paseo|plaza|carrera|"
    r"via|viale|piazza|corso|rua)\b(?: (?:de|del|della|des|du|di|da|la|las|los|le|les|l')){0,2}"
    r" [A-Z\u00c0-\u00dd][\w'\u2019-]{1,24}(?: [A-Z\u00c0-\u00dd][\w'\u2019-]{1,24}){0,3}"
    r"(?:,? (?:n\.?[\u00ba\u00b0o]? ?)?[0-9]{1,5}\b)?"
)
_GERMAN = re.compile(
    r"(?<!\w)[A-Z\u00c4\u00d6\u00dc][\w\u00df-]{1,30}(?:stra(?:\u00df|ss)e|str\.|weg|platz|gasse|allee|"
    r"straat|laan|gracht|gatan|vej)"
    r" [0-9]{1,4} ?[a-z]?(?!\w)"
)
_BOX = re.compile(r"\bP\.? ?O\.? ?Box [0-9]{1,7}\b", re.IGNORECASE)
_DIGIT = re.compile("[0-9]")


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where they begin and end."""
    for pattern in (_ENGLISH, _CAPITALISED, _SHORT, _GERMAN, _BOX, _ROMANCE):
        for match in pattern.finditer(text):
            if _DIGIT.search(match[0]):
                yield match.span()
