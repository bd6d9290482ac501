# SPDX-License-Identifier: Apache-2.0
"""What an import did, row by row counted: every row is in exactly one of the counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from client.intake.faults import Fault

EXAMPLES = 5
"""Lines that are named of each reason."""


@dataclass
class Report:
    """Attributes:
    added, changed, unchanged: creatives that may be shown: new ones, with another text or
        campaign, and as they were.
    waiting: stored, and not shown until the guard can judge them.
    refused: by the guard's reason; stored, but never shown.
    bad: rows that are no creative.
    lines: of either, the first few.
    scrubbed: pieces of personal data taken out, by kind.
    campaigns: made for the creatives.
    rewritten, kept_rewrites: texts of the endpoint: asked for now, and answers kept from before.
    not_rewritten: why the template was taken instead.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    waiting: int = 0
    embedded: int = 0
    campaigns: int = 0
    rewritten: int = 0
    kept_rewrites: int = 0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    scrubbed: Counter[str] = field(default_factory=Counter)
    not_rewritten: Counter[str] = field(default_factory=Counter)
    lines: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    samples: list[str] = field(default_factory=list)

    @property
    def good(self) -> int:
        return self.added + self.changed + self.unchanged

    @property
    def rows(self) -> int:
        return self.good + self.waiting + self.refused.total() + self.bad.total()

    def pace(self) -> str:
        """How fast it goes, for a progress bar."""
        return f"{self.rows / self.seconds:.0f} a second" if self.seconds else ""

    def leave_out(self, line: int, fault: Fault) -> None:
        """A row that is no creative."""
        self.bad[fault.value] += 1
        self._note(fault.value, line)

    def refuse(self, line: int, reason: str) -> None:
        """A text that the guard blocks."""
        self.refused[reason] += 1
        self._note(reason, line)

    def _note(self, reason: str, line: int) -> None:
        if len(self.lines[reason]) < EXAMPLES:
            self.lines[reason].append(line)

    def as_json(self) -> dict[str, Any]:
        """Everything but the samples."""
        plain = {name: value for name, value in vars(self).items() if name != "samples"}
        return {"rows": self.rows} | plain

    def text(self) -> Iterator[str]:
        """Lines for a person."""
        rate = self.rows / self.seconds if self.seconds else 0.0
        yield f"{self.rows} rows in {self.seconds:.1f} s ({rate:.0f} a second)"
        yield f"added      {self.added:>8}" + (
            f"   in {self.campaigns} new campaigns" if self.campaigns else ""
        )
        yield f"changed    {self.changed:>8}"
        yield f"unchanged  {self.unchanged:>8}"
        if self.waiting:
            yield f"waiting    {self.waiting:>8}   for the guard"
        yield from self._reasons("refused", self.refused)
        yield from self._reasons("left out", self.bad)
        if self.scrubbed:
            yield "personal data taken out: " + _counts(self.scrubbed)
        if self.rewritten or self.kept_rewrites or self.not_rewritten:
            yield f"rewritten  {self.rewritten:>8}   and {self.kept_rewrites} kept from before"
        if self.not_rewritten:
            yield "the template instead of a rewrite: " + _counts(self.not_rewritten)

    def _reasons(self, title: str, counts: Counter[str]) -> Iterator[str]:
        yield f"{title:<10} {counts.total():>8}"
        for reason, count in counts.most_common():
            named = ", ".join(map(str, self.lines[reason]))
            more = ", ..." if count > len(self.lines[reason]) else ""
            yield f"  {reason:<26} {count:>6}   line {named}{more}"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
