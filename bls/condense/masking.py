# SPDX-License-Identifier: Apache-2.0
"""Slurs in a summary become `***` (CG-I-06). The tail of a chat is nobody's to change.

The rules are those of the reply filter (`bls/policy`). Personal data is left alone here: what a
reader typed is scrubbed before, and a hotel's telephone number is what the summary is for.
"""

from __future__ import annotations

from collections import Counter

from bls.policy.filter import CLASSIFIER, PolicyFilter

MASK = "***"
_PERSONAL = frozenset({"email", "phone", "card", "iban"})


def mask(policy: PolicyFilter, text: str) -> tuple[str, Counter[str]]:
    """The text without what the rules refuse, and how often each reason was met.

    A text that only the classifier refuses has no place to mask: nothing is left of it.
    """
    found: Counter[str] = Counter()
    reason = _refused(policy, text)
    if not reason:
        return text, found
    words = text.split(" ")
    begin = 0
    for end in range(1, len(words) + 1):
        reason = _refused(policy, " ".join(words[begin:end]))
        if not reason or reason == CLASSIFIER:
            continue
        start = end - 1
        while start > begin and not _refused(policy, " ".join(words[start:end])):
            start -= 1
        words[start:end] = [MASK, *[""] * (end - start - 1)]
        found[reason] += 1
        begin = end
    masked = " ".join(word for word in words if word)
    if reason := _refused(policy, masked):
        found[reason] += 1
        return "", found
    return masked, found


def _refused(policy: PolicyFilter, text: str) -> str:
    """Why the text must not be said again; "" where it may."""
    reason = policy.check(text, final=True).reason
    return "" if reason in _PERSONAL else reason
