# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a set of billing records, and how bad each is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

_SHOWN = 20


class Fault(Enum):
    """A kind of fault: its name, and whether it puts a bill in doubt."""

    TORN = ("torn", False, "a line without an end, left by a crash; its reply has no receipt")
    UNBILLED = ("unbilled", False, "records of a reply without a receipt: nobody is billed")
    UNPAIRED = ("unpaired", False, "a token in one of the two streams only")
    BROKEN_CHAIN = ("broken_chain", True, "a line edited, removed, put in or moved here")
    MALFORMED = ("malformed", True, "a line that is no record of this version")
    DUPLICATE = ("duplicate", True, "a second record or receipt with the same key")
    MISSING = ("missing", True, "a billed token without a record")
    EXTRA = ("extra", True, "a record of a token that its receipt does not count")
    REFUTED = ("refuted", True, "a charge or a winner that its own record disproves")
    MISMATCH = ("mismatch", True, "a receipt that its records do not add up to")

    def __init__(self, title: str, serious: bool, meaning: str) -> None:
        self.title = title
        self.serious = serious
        self.meaning = meaning


@dataclass
class Faults:
    """Counts every fault, remembers the first few of each kind where they were."""

    counts: Counter[Fault] = field(default_factory=Counter)
    places: dict[Fault, list[str]] = field(default_factory=dict)

    def add(self, fault: Fault, where: str) -> None:
        self.counts[fault] += 1
        if len(places := self.places.setdefault(fault, [])) < _SHOWN:
            places.append(where)

    @property
    def serious(self) -> bool:
        """Whether a bill is in doubt."""
        return any(fault.serious for fault in self.counts)

    def as_json(self) -> dict[str, object]:
        return {
            fault.title: {"count": count, "first": self.places[fault]}
            for fault, count in self.counts.items()
        }
