# SPDX-License-Identifier: Apache-2.0
"""Promises of ads that hold a number, which word rules cannot say: "lose 20 pounds in a week"."""

from __future__ import annotations

import re

_MANY = r"(?:[0-9]{1,6}|one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|fifty|a|an)"
_ONLY = r"(?:just |only |the first )?"
_FALSE_CURE = re.compile(
    rf"\b(?:lose|drop|shed|melt) (?:up to )?{_MANY}[- ]?(?:lbs?|pounds?|kgs?|kilos?|stone|sizes) "
    rf"(?:of \w{{1,12}} )?(?:in|within|every|per|over) {_ONLY}{_MANY}[- ]?"
    r"(?:days?|weeks?|nights?|hours?)\b"
)
_GAIN = re.compile(
    r"\b(?:turn|make|earn|win|get) \$?[0-9][0-9,.]{0,9} ?(?:into|to|a|per|every|in|within) "
    rf"{_ONLY}(?:\$?[0-9]|day|week|{_MANY} (?:days?|weeks?|hours?|minutes?))"
    r"|\b[0-9]{2,5} ?(?:%|percent) (?:guaranteed |weekly |daily |monthly )?"
    r"(?:returns?|profits?|roi|apr)\b"
)
_LOAN = re.compile(
    r"\b(?:borrow|get|loans?|cash)(?: of| up to| from)? \$?[0-9][0-9,]{1,8} (?:\w{1,10} ){0,2}"
    r"(?:today|now|tonight|instantly|in minutes|in \w{1,6} minutes|until payday|no questions)"
)


def promise(plain: str) -> str | None:
    """Why to refuse an ad (in its normal form) for such a promise; None where there is none."""
    if _FALSE_CURE.search(plain):
        return "false_cure"
    if _GAIN.search(plain):
        return "gambling_pressure"
    return "payday_loan" if _LOAN.search(plain) else None
