# SPDX-License-Identifier: Apache-2.0
"""What the guard says of one text."""

from __future__ import annotations

from dataclasses import dataclass

from bls.contracts import Verdict

UNJUDGED = "unjudged"
"""The reason where the guard could not say: nothing is shown, and it is asked again."""


@dataclass(frozen=True)
class Ruling:
    """`reason` is a snake_case word, empty for OK; `score` the classifier's, 0 where a rule
    decided."""

    verdict: Verdict = Verdict.OK
    reason: str = ""
    score: float = 0.0

    @property
    def ok(self) -> bool:
        return self.verdict is Verdict.OK
