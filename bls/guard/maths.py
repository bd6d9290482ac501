# SPDX-License-Identifier: Apache-2.0
"""Sums and equations in a user's text: somebody who wants a number wants no ad."""

from __future__ import annotations

import re

_NUMBER = r"[0-9]{1,12}(?:[.,][0-9]{1,12})?"
_SIGN = r"[-+*/\u00d7\u00f7\u2212^]"
_TERM = rf"\(?-?{_NUMBER}\)?"
_UNKNOWN = r"(?<![\w.])[0-9]{0,4} ?[xyz](?:\^[0-9]|\u00b2|\u00b3)? {0,2}"
_ASKED = r"\b(?:what(?:'s| is)|calculate|compute|evaluate|how much is|simplify|solve)\b:? {1,2}"
_WORDS = r"times|plus|minus|divided by|multiplied by|mod|x|percent of|% of"
_SUM = re.compile(
    rf"(?<![\w./-]){_TERM}(?: {{0,2}}{_SIGN}{{1,2}} {{0,2}}{_TERM}){{1,20}} {{0,2}}="
    rf"|{_ASKED}{_TERM} {{0,2}}(?:{_SIGN}|{_WORDS}) {{0,2}}{_TERM}"
    rf"|{_UNKNOWN}[-+\u2212] {{0,2}}[0-9]{{1,6}}[a-z]? {{0,2}}="
    rf"|{_UNKNOWN}= {{0,2}}-?[0-9]"
    r"|\\(?:frac|sqrt|int|sum)\b|\u222b|\u221a[0-9(]",
    re.IGNORECASE,
)


def has_sum(text: str) -> bool:
    """Whether there is one to work out; dates, prices and phone numbers are none."""
    return _SUM.search(text) is not None
