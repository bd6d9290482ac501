# SPDX-License-Identifier: Apache-2.0
"""What the filter says of a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """Safe, or unsafe for a reason.

    Attributes:
        reason: "" when safe; else the rule group, `email`, `phone`, `card`, `iban` or `classifier`.
        held: of a safe text, how many characters at its end may still turn out unsafe (a word that
            has not ended, a number that goes on): not to be shown yet.
        taints_held: of an unsafe text, the match began in text judged before: what was held back
            for it must never be shown.
        fault: the classifier failed, so only the rules have spoken.
    """

    reason: str = ""
    held: int = 0
    taints_held: bool = False
    fault: bool = False

    @property
    def safe(self) -> bool:
        return not self.reason
