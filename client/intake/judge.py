# SPDX-License-Identifier: Apache-2.0
"""What the guard says of ad texts, before they are stored or embedded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bls.ads.records import Checked, checked_of
from bls.contracts import Use
from bls.guard.ruling import Ruling
from bls.limits import LIMITS
from bls.settings import Settings

Judge = Callable[[Sequence[str]], Sequence[Ruling]]


@dataclass(frozen=True)
class Judged:
    """As a creative's record says it."""

    checked: Checked
    reason: str = ""


def guard_of(settings: Settings) -> Judge:
    """The served guard. Raises `model_missing` and what else `load_guard` does."""
    from bls.guard.guard import load_guard  # noqa: PLC0415  (slow)

    guard = load_guard(settings.guard_folder())
    return lambda texts: guard.judge(texts, Use.AD)


def verdicts(judge: Judge, texts: Sequence[str]) -> list[Judged]:
    """One of each text: what is not plainly fit for an ad is blocked."""
    found: list[Judged] = []
    for start in range(0, len(texts), LIMITS.guard_texts):
        for ruling in judge(texts[start : start + LIMITS.guard_texts]):
            found.append(_judged(ruling))
    return found


def _judged(ruling: Ruling) -> Judged:
    if ruling.ok:
        return Judged(Checked.OK)
    return Judged(checked_of(ruling), ruling.reason or ruling.verdict.name.lower())
