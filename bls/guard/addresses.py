# SPDX-License-Identifier: Apache-2.0
"""Things that look like a street address: a house number and a street, or a post-office box.

English, German, French, Spanish and Italian ways of writing. A number and a word that is a street
too ("a 4 lane road", "takes place March 14") are not enough: there must be capitals, or nothing
that goes on as a sentence does. Every repeat is bounded: linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONG_KIND = (
    "street|avenue|ave|boulevard|blvd|road|lane|highway|hwy|parkway|pkwy|terrace|crescent|"
    "expressway|expy|freeway|fwy|alley|turnpike"
)
_SHORT_KIND = r"(?:St|Rd|Ln|Str|ST|RD|LN|STR)\b\.?|(?:st|rd|ln|str)\."  # "ln 5", "1st" are none
_WORD_KIND = (  # ordinary words too: only with capitals
    "Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Trail|Trl|Circle|Cir|Close|Mews|Row|Way|Walk|Wharf|"
    "Plaza|Center|Centre|Mall|Loop|Gardens|Gate|Hill|Park|Pier|Quay|Plz|Ter"
)
_MONTH = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
_DAY = "(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|tomorrow|tonight"
_NOT_A_STREET = (
    "am|pm|min|mins|minutes?|hours?|hrs?|days?|nights?|weeks?|months?|years?|star|stars|people|"
    "persons?|adults?|tickets?|rooms?|beds?|baths?|miles?|km|kilometers?|meters?|feet|percent|"
    "dollars?|usd|bucks|o|of|or|and|to|in|on|at|for|from|is|are|the|other|more|restaurants?|"
    "hotels?|seats?|passengers?|bags?|a\\.m|p\\.m|lanes?|way|ways|foot|inch|mph|degrees?|times|"
    "x|(?-i:an?)|my|our|your|their|this|that|by|with|via|down|dirt|busy|narrow|quiet|wide|off|"
    f"{_MONTH}|{_DAY}"
)
_SOMETHING_ELSE = (  # after a street word: that word says what kind of thing it is
    "tacos?|foods?|corn|arts?|artists?|fairs?|festivals?|part(?:y|ies)|parking|performers?|"
    "musicians?|trips?|trippers?|bikes?|races?|closures?|works?|signs?|lights?|smarts?|style|"
    "wear|fighters?|vendors?|shows?|musicals?|plays?|tickets?|hits?|theat(?:er|re)s?|stars?|"
    "actors?|productions?|performances?|runners?|cones?|maps?|tests?"
)
_PART = r"[^\W\d_][\w'\u2019.-]{0,24}"
_CAPITAL = rf"(?!(?i:{_NOT_A_STREET})\b)[A-Z\u00c0-\u00de][\w'\u2019.-]{{0,24}}"
_ORDINAL = r"[0-9]{1,3}(?:st|nd|rd|th)"
_BEFORE = r"(?<![\w.,/:$\u20ac\u00a3-])"
_AFTER = r"(?:-[0-9]{1,5})?[a-zA-Z]?"
_NUMBER = rf"{_BEFORE}[0-9]{{1,6}}{_AFTER}"
_LONGER = rf"{_BEFORE}[0-9]{{2,6}}{_AFTER}"
_UNIT = r"(?:,? {0,2}(?:#|apt|apartment|suite|ste|unit|floor|fl|room|rm)\b\.? {0,2}#?[\w-]{1,6})?"
_COMPASS = r"(?: (?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?)?"
_PLAIN = rf"(?!(?i:{_NOT_A_STREET})\b)(?:{_PART}|{_ORDINAL})"
_NO_THING = rf"(?! (?i:{_SOMETHING_ELSE})\b)"
_GOES_ON = "in|near|and|at|apt|suite|unit|please|is|with|for|(?:north|south)(?:east|west)"
_ENDS = rf"(?=[^\w ]|$| +(?:[A-Z0-9#\u00c0-\u00de(]|(?:{_GOES_ON})\b))"
_ENGLISH = re.compile(
    rf"(?:{_NUMBER},? (?:{_CAPITAL}|{_ORDINAL})|{_LONGER},? {_PLAIN}),? (?:{_PLAIN},? ){{0,3}}?"
    rf"(?:(?=[A-Z])(?i:{_LONG_KIND})\b|{_SHORT_KIND}){_NO_THING}{_COMPASS}(?i:{_UNIT})"
)
_SMALL = re.compile(  # "60 furman street"
    rf"(?:{_NUMBER},? (?:{_CAPITAL}|{_ORDINAL})|{_LONGER},? {_PLAIN}),? (?:{_PLAIN} ){{0,2}}?"
    rf"(?:{_LONG_KIND})\b{_NO_THING}{_ENDS}{_COMPASS}(?i:{_UNIT})"
)
_CAPITALISED = re.compile(
    rf"{_NUMBER},? (?:(?:{_CAPITAL}|{_ORDINAL}) ){{1,4}}?(?:{_WORD_KIND})\b{_NO_THING}"
    rf"{_COMPASS}(?i:{_UNIT})"
)
_SHORT = re.compile(
    rf"{_NUMBER} (?:(?:N|S|E|W|North|South|East|West|Southwest|Southeast|Northwest|Northeast)\.? )?"
    rf"(?:Broadway|(?:The )?Embarcadero|Plaza|(?:The )?Alameda|El Camino Real)\b{_NO_THING}{_UNIT}",
    re.IGNORECASE,
)
_OF = r"(?: (?:del|della|des|du|di|da|de|las|la|los|les|le|l'))"
_NAMED = (
    rf" (?!(?i:{_MONTH}|{_DAY})\b)[A-Z\u00c0-\u00dd][\w'\u2019-]{{1,24}}"
    r"(?: [A-Z\u00c0-\u00dd][\w'\u2019-]{1,24}){0,3}"
)
_AT = rf"(?:n\.?[\u00ba\u00b0o]? ?)?[0-9]{{1,5}}\b(?! ?(?i:{_NOT_A_STREET})\b|[:/%])"
_ROMANCE = re.compile(
    r"(?:(?<![\w.,/-])[0-9]{1,5}(?: ?(?:bis|ter))?,? )?"
    r"\b(?i:rue|avenue|boulevard|quai|chemin|all\u00e9e|calle|avenida|viale|piazza|corso|rua)\b"
    rf"{_OF}{{0,2}}{_NAMED}(?:,? {_AT})?"
)
_ROMANCE_WORD = re.compile(  # English words too, and cars
    rf"(?<![\w.,/-])[0-9]{{1,5}}(?: ?(?:bis|ter))?,? (?i:place|plaza|paseo){_OF}{{0,2}}{_NAMED}"
    rf"(?:,? {_AT})?"
    rf"|\b(?i:place|plaza|paseo|carrera|via){_OF}{{1,2}}{_NAMED},? {_AT}"
    rf"|\b(?:Plaza|Paseo|Carrera|Via){_NAMED}, {_AT}"
)
_GERMAN = re.compile(
    r"(?<!\w)[A-Z\u00c4\u00d6\u00dc][\w\u00df-]{1,30}(?:stra(?:\u00df|ss)e|str\.|weg|platz|gasse|allee|"
    r"straat|laan|gracht|gatan|vej)"
    r" [0-9]{1,4} ?[a-z]?(?!\w)"
)
_BOX = re.compile(r"\bP\.? ?O\.? ?Box [0-9]{1,7}\b", re.IGNORECASE)
_DIGIT = re.compile("[0-9]")
_DATE = re.compile(rf"\b(?:{_MONTH})\.? \Z", re.IGNORECASE)


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where they begin and end."""
    for pattern in (
        *(_ENGLISH, _SMALL, _CAPITALISED, _SHORT),
        *(_GERMAN, _BOX, _ROMANCE, _ROMANCE_WORD),
    ):
        for match in pattern.finditer(text):
            start, end = match.span()
            dated = _DATE.search(text, max(0, start - 12), start)
            if dated is None and _DIGIT.search(match[0]):
                yield start, end
