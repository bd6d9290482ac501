# SPDX-License-Identifier: Apache-2.0
"""The audit replay: winners and prices of every logged token derived again, promises checked.

Writes `vcg.audit.csv`, a line per token, and returns totals. A token passes when nothing in its
record is refuted and the mechanism's promises hold; `undecided` ones pass and are counted.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bls.settlement.bounds import Bounds, Verdict
from bls.settlement.events import Events, batches
from bls.settlement.faults import Faults
from bls.settlement.prices import Prices, p_token_verdicts
from bls.settlement.properties import individually_rational, monotone
from bls.settlement.reader import Reader
from bls.settlement.winner import reference_tokens, winners

CSV = "vcg.audit.csv"
PASSING = 0.999
"""Share of tokens that must pass (seed AUC-S-02)."""

_CLAIMS = ("evidence", "winner", "pay", "critical_bid")
_COLUMNS = (
    *("conv_id", "request_id", "token_idx", "mode", "token"),
    *_CLAIMS,
    *("individually_rational", "monotone", "pass"),
)
_WORDS = np.array([verdict.name.lower() for verdict in Verdict])


@dataclass
class Audit:
    """Totals of an audit; `verdicts` counts (mode, claim, verdict)."""

    faults: Faults
    tokens: int = 0
    passed: int = 0
    irrational: int = 0
    not_monotone: int = 0
    drawn_above_value: int = 0
    drawn_payments: int = 0
    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Enough tokens pass and the records are whole."""
        return self.passed >= PASSING * self.tokens and not self.faults.serious

    def as_json(self) -> dict[str, Any]:
        modes: dict[str, dict[str, dict[str, int]]] = {}
        for (mode, claim, verdict), count in sorted(self.verdicts.items()):
            modes.setdefault(mode, {}).setdefault(claim, {})[verdict] = count
        return {
            "ok": self.ok,
            "tokens": self.tokens,
            "passed": self.passed,
            "not_individually_rational": self.irrational,
            "not_monotone": self.not_monotone,
            "drawn_payments": self.drawn_payments,
            "drawn_payments_above_value": self.drawn_above_value,
            "verdicts": modes,
            "faults": self.faults.as_json(),
        }


@dataclass(frozen=True)
class Checked:
    """Verdicts of one batch: claims are [n] `Verdict`s, the others [n] booleans."""

    claims: dict[str, np.ndarray[Any, np.dtype[np.int64]]]
    rational: np.ndarray[Any, np.dtype[np.bool_]]
    monotone: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def passed(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        worst = np.minimum.reduce([self.claims[claim] for claim in _CLAIMS])
        return np.asarray((worst > Verdict.REFUTED) & self.rational & self.monotone)


def check(events: Events) -> Checked:
    """Everything a batch of records proves or disproves."""
    bounds = Bounds.of(events)
    prices = Prices.of(events, bounds)
    evidence = np.minimum(p_token_verdicts(events, bounds), reference_tokens(events))
    return Checked(
        {
            "evidence": np.where(bounds.sound, evidence, Verdict.REFUTED),
            "winner": winners(events, bounds),
            "pay": prices.pay.verdicts(events.pay, events.weights).min(axis=1),
            "critical_bid": prices.critical_bid.verdicts(events.critical_bid, events.weights).min(
                axis=1
            ),
        },
        individually_rational(events, bounds),
        monotone(events, bounds, prices),
    )


def replay(
    folder: Path, out: Path, progress: Callable[[float], None] = lambda share: None
) -> Audit:
    """Audit every token of `folder`; `out` gets the CSV. Raises `no_records`."""
    audit = Audit(Faults())
    reader = Reader(folder, audit.faults)
    with out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for events in batches(reader.joined(), audit.faults):
            checked = check(events)
            _count(audit, events, checked)
            table.writerows(_lines(events, checked))
            progress(reader.progress)
    return audit


def _count(audit: Audit, events: Events, checked: Checked) -> None:
    audit.tokens += len(events)
    audit.passed += int(checked.passed.sum())
    audit.irrational += int((~checked.rational).sum())
    audit.not_monotone += int((~checked.monotone).sum())
    drawn = events.sampled[:, None] & (events.pay > 0)
    audit.drawn_payments += int(drawn.sum())
    audit.drawn_above_value += int((drawn & (events.pay > events.weights * events.p_token)).sum())
    for sampled, mode in ((False, "argmax"), (True, "sample")):
        of_mode = events.sampled == sampled
        for claim, verdicts in checked.claims.items():
            for verdict in Verdict:
                if count := int(((verdicts == verdict) & of_mode).sum()):
                    audit.verdicts[mode, claim, verdict.name.lower()] += count


def _lines(events: Events, checked: Checked) -> Iterator[tuple[Any, ...]]:
    modes = np.where(events.sampled, "sample", "argmax").tolist()
    columns = [modes, events.token.tolist()]
    columns += [_WORDS[checked.claims[claim]].tolist() for claim in _CLAIMS]
    columns += [x.astype(int).tolist() for x in (checked.rational, checked.monotone)]
    columns.append(checked.passed.astype(int).tolist())
    for key, *rest in zip(events.keys, *columns, strict=True):
        yield (*key, *rest)
