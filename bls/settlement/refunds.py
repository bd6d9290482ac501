# SPDX-License-Identifier: Apache-2.0
"""What a receipt bills: what was charged, less its refund lines.

    charge_micros  what the auction's records prove, always
    refund_micros  given back, by row: all of it for invalid traffic, else nothing
    net            charged - refunded: what budgets, invoices and totals go by

A receipt without `refunds` (no shop session, or of an older build) refunds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Json = Mapping[str, Any]


class Billed(NamedTuple):
    """One advertiser's part of a receipt, micro-units."""

    advertiser: str
    row: int
    charged: int
    refunded: int

    @property
    def net(self) -> int:
        return self.charged - self.refunded


def billed(receipt: Json) -> list[Billed]:
    """Of every advertiser, in row order.

    Raises:
        KeyError, TypeError, ValueError: rows, total or refunds of the receipt do not add up, or
            the refunds are not what its traffic makes them.
    """
    lines = sorted(receipt["lines"], key=lambda line: int(line["row"]))
    if [line["row"] for line in lines] != list(range(1, len(lines) + 1)):
        raise ValueError("rows")
    refunds = _refunds(receipt)
    if refunds.keys() - {line["row"] for line in lines}:
        raise ValueError("refund of no row")
    found = [
        Billed(str(line["advertiser"]), row, int(line["charge_micros"]), refunds.get(row, 0))
        for row, line in enumerate(lines, start=1)
    ]
    if sum(line.charged for line in found) != receipt["total_micros"]:
        raise ValueError("total")
    if any(line.refunded != (0 if is_valid(receipt) else line.charged) for line in found):
        raise ValueError("refunds are not what the traffic makes them")
    return found


def net(receipt: Json) -> Counter[str]:
    """Micro-units that a receipt bills, by advertiser; what does not add up is not looked for."""
    back = {line["row"]: line["refund_micros"] for line in receipt.get("refunds") or ()}
    found: Counter[str] = Counter()
    for line in receipt.get("lines", ()):
        found[line["advertiser"]] += line["charge_micros"] - back.get(line.get("row"), 0)
    return found


def is_valid(receipt: Json) -> bool:
    """Whether the reply was written for a reader who may be a person."""
    traffic = receipt.get("traffic")
    return traffic is None or traffic["valid"] is not False


def _refunds(receipt: Json) -> dict[int, int]:
    """Micro-units by row. Raises `ValueError` for a row that is refunded twice or with nothing."""
    found = dict(_lines(receipt))
    if len(found) != len(receipt.get("refunds") or ()):
        raise ValueError("a row is refunded twice")
    if any(micros <= 0 for micros in found.values()):
        raise ValueError("a refund of nothing")
    return found


def _lines(receipt: Json) -> Iterator[tuple[int, int]]:
    for line in receipt.get("refunds") or ():
        yield int(line["row"]), int(line["refund_micros"])
