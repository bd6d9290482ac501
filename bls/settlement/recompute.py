# SPDX-License-Identifier: Apache-2.0
"""The settlement: every charge recomputed from the records, compared with the receipts.

An independent path: numpy in float64 on logged normalisers and logits, no kernel. Sums are in
weight units and become integer micro-units once per reply and advertiser, as in the receipt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bls.settlement.bounds import Bounds, Verdict
from bls.settlement.events import F64, Events, batches
from bls.settlement.faults import Fault, Faults
from bls.settlement.prices import Prices
from bls.settlement.reader import Joined, Json, Reader, ReplyKey, name
from bls.settlement.refunds import billed

TOLERANCE = 1e-4
"""0.01 %, the specification's; one micro-unit more per sum, for its rounding."""

Progress = Callable[[float], None]


@dataclass
class Tally:
    """What the records of one reply add up to; sums are [R] in weight units."""

    advertisers: tuple[str, ...]
    micros_per_weight: int
    recomputed: F64 = field(init=False)
    unproven: F64 = field(init=False)
    paying: F64 = field(init=False)
    indices: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.recomputed, self.unproven, self.paying = np.zeros((3, 1 + len(self.advertisers)))

    def micros(self, row: int) -> int:
        return round(float(self.recomputed[row]) * self.micros_per_weight)


@dataclass
class AdvertiserAccount:
    """Totals of one advertiser; `unproven_micros` of them are bounded by records, not proven.

    `charged_micros` is what the auctions' records prove; `refunded_micros` of it is given back.
    """

    tokens: int = 0
    replies: int = 0
    charged_micros: int = 0
    recomputed_micros: int = 0
    unproven_micros: float = 0.0
    refunded_micros: int = 0

    @property
    def difference_micros(self) -> int:
        return self.charged_micros - self.recomputed_micros

    @property
    def net_micros(self) -> int:
        """What is billed."""
        return self.charged_micros - self.refunded_micros

    def as_json(self) -> Json:
        return {
            **vars(self),
            "difference_micros": self.difference_micros,
            "net_micros": self.net_micros,
        }


@dataclass
class Settlement:
    """The result. `ok`: every bill stands, within 0.01 %."""

    tokens: int
    receipts: int
    undecided: int
    accounts: dict[str, AdvertiserAccount]
    faults: Faults
    heads: dict[str, str] = field(default_factory=dict)
    erased: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> AdvertiserAccount:
        accounts = self.accounts.values()
        return AdvertiserAccount(
            tokens=sum(a.tokens for a in accounts),
            replies=sum(a.replies for a in accounts),
            charged_micros=sum(a.charged_micros for a in accounts),
            recomputed_micros=sum(a.recomputed_micros for a in accounts),
            unproven_micros=sum(a.unproven_micros for a in accounts),
            refunded_micros=sum(a.refunded_micros for a in accounts),
        )

    @property
    def ok(self) -> bool:
        sums = (*self.accounts.values(), self.total)
        return not self.faults.serious and all(
            agree(a.charged_micros, a.recomputed_micros) for a in sums
        )

    def as_json(self) -> Json:
        return {
            "ok": self.ok,
            "tolerance": TOLERANCE,
            "tokens": self.tokens,
            "receipts": self.receipts,
            "undecided_charges": self.undecided,
            "total": self.total.as_json(),
            "advertisers": {n: a.as_json() for n, a in sorted(self.accounts.items())},
            "faults": self.faults.as_json(),
            "erased": self.erased,
            "chain_heads": self.heads,
        }


def agree(charged: int, recomputed: int) -> bool:
    """Equal within the tolerance."""
    return abs(charged - recomputed) <= 1 + TOLERANCE * max(abs(charged), abs(recomputed))


def settle(folder: Path, progress: Progress = lambda share: None) -> Settlement:
    """Recompute every charge in `folder`. Raises `no_records`; faults are in the result."""
    reader = Reader(folder, Faults())
    receipts = reader.receipts()
    result = settle_records(
        receipts, reader.joined(), reader.faults, lambda: progress(reader.progress)
    )
    return replace(result, heads=reader.heads, erased=dict(reader.erased))


def settle_records(
    receipts: Mapping[ReplyKey, Json],
    tokens: Iterable[Joined],
    faults: Faults,
    progress: Callable[[], None] = lambda: None,
) -> Settlement:
    """The same of records that come from anywhere; `faults` may have some already."""
    tallies: dict[ReplyKey, Tally] = {}
    count = undecided = 0
    for events in batches(tokens, faults):
        undecided += _add(events, tallies, faults)
        count += len(events)
        progress()
    accounts: dict[str, AdvertiserAccount] = {}
    for key, receipt in receipts.items():
        _compare(key, receipt, tallies.pop(key, None), accounts, faults)
    for key in tallies:
        faults.add(Fault.UNBILLED, name(key))
    return Settlement(count, len(receipts), undecided, accounts, faults)


def _add(events: Events, tallies: dict[ReplyKey, Tally], faults: Faults) -> int:
    """Book one batch; how many of its charges the records do not prove."""
    bounds = Bounds.of(events)
    charge = Prices.of(events, bounds).charge
    verdicts = charge.verdicts(events.charges, events.weights).min(axis=1)
    verdicts = np.where(bounds.sound, verdicts, Verdict.REFUTED)
    amounts = charge.settle(events.charges)
    unproven = np.where((verdicts == Verdict.UNDECIDED)[:, None], amounts, 0.0)
    for place in np.flatnonzero(verdicts == Verdict.REFUTED):
        faults.add(Fault.REFUTED, f"charge of {name(events.keys[place])}")
    for place, key in enumerate(events.keys):
        tally = tallies.get(key[:2])
        if tally is None:
            micros = int(events.micros_per_weight[place])
            tally = tallies[key[:2]] = Tally(events.advertisers[place], micros)
        if tally.advertisers != events.advertisers[place]:
            faults.add(Fault.MALFORMED, f"advertisers of {name(key)}")
            continue
        tally.recomputed += amounts[place]
        tally.unproven += unproven[place]
        tally.paying += amounts[place] > 0
        tally.indices.add(key[2])
    return int((verdicts == Verdict.UNDECIDED).sum())


def _compare(
    key: ReplyKey,
    receipt: Json,
    tally: Tally | None,
    accounts: dict[str, AdvertiserAccount],
    faults: Faults,
) -> None:
    """One receipt against the records of its reply."""
    try:
        tokens, lines = int(receipt["completion_tokens"]), billed(receipt)
    except (KeyError, TypeError, ValueError):
        faults.add(Fault.MALFORMED, f"receipt of {name(key)}")
        return
    if tally is None:
        tally = Tally(tuple(line.advertiser for line in lines), 0)
    for index in set(range(tokens)) - tally.indices:
        faults.add(Fault.MISSING, name((*key, index)))
    for index in tally.indices - set(range(tokens)):
        faults.add(Fault.EXTRA, name((*key, index)))
    if tuple(line.advertiser for line in lines) != tally.advertisers:
        faults.add(Fault.MISMATCH, f"advertisers of {name(key)}")
        return
    for line in lines:
        row, recomputed = line.row, tally.micros(line.row)
        if not agree(line.charged, recomputed):
            where = f"{name(key)} {line.advertiser}: {line.charged} and {recomputed}"
            faults.add(Fault.MISMATCH, where)
        account = accounts.setdefault(line.advertiser, AdvertiserAccount())
        account.replies += 1
        account.tokens += int(tally.paying[row])
        account.charged_micros += line.charged
        account.refunded_micros += line.refunded
        account.recomputed_micros += recomputed
        account.unproven_micros += float(tally.unproven[row]) * tally.micros_per_weight
