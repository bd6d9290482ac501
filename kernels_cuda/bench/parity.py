# SPDX-License-Identifier: Apache-2.0
"""A path against the float64 oracle on thousands of random and adversarial replies.

`python -m kernels_cuda.bench.parity --cases 10000 --path avx2` prints rates and largest errors, and
exits with 1 if a token, a row, an audit output or the sixth digit of a charge differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda import oracle
from kernels_cuda.auction import Auction, AuctionError, Outcome, Path
from kernels_cuda.bench.cases import Case, make

Floats = NDArray[np.float64]

TOLERANCE = 1e-6
SHORT_ROW = 2048  # up to here the vector paths always sum in float64
ERRORS = {
    "pay": "relative, beyond the tie resolution",
    "critical_bid": "relative, beyond the tie resolution",
    "p_token": "relative",
    "log_z": "absolute, relative above 1",
    "margin": "relative to the largest blend",
}


def decoded(logits: NDArray[Any]) -> NDArray[Any]:
    """Logits as the oracle reads them: bfloat16 bits become float32."""
    return oracle.from_bf16(logits) if logits.dtype == np.uint16 else logits


def active_weights(case: Case, want: oracle.Outcome) -> Floats:
    """Weights with 0 for dropped rows."""
    active: Floats = np.where(want.row_status == oracle.OK, case.weights, 0.0).astype(np.float64)
    return active


def pay_resolution(case: Case, want: oracle.Outcome) -> Floats:
    """What a payment may differ by because numbers within TIE_REL are the same number."""
    if case.draw is None:
        return np.full(len(want.pay), oracle.TIE_REL * want.blend.max())
    w = active_weights(case, want)
    total = w.sum()
    charge = [oracle.stable_charge(b, total - b) if 0 < b < total else 0.0 for b in w]
    scaled: Floats = want.p_token * np.array(charge) * (total / want.blend[want.token])
    return oracle.TIE_REL * scaled


def largest(got: Any, want: Any, scale: Any, floor: Any = 0.0) -> float:
    """Largest difference beyond floor in units of scale."""
    beyond = np.maximum(np.abs(np.asarray(got) - want) - floor, 0.0)
    with np.errstate(over="ignore"):
        return float(np.max(beyond / scale))


def errors(case: Case, got: Outcome, want: oracle.Outcome) -> dict[str, float]:
    """How far each real-valued output is off, as ERRORS says."""
    tiny = 1e-290
    ties = oracle.TIE_REL * active_weights(case, want)
    pay_scale, bid_scale = np.maximum(want.pay, tiny), np.maximum(want.critical_bid, tiny)
    return {
        "pay": largest(got.pay, want.pay, pay_scale, pay_resolution(case, want)),
        "critical_bid": largest(got.critical_bid, want.critical_bid, bid_scale, ties),
        "p_token": largest(got.p_token, want.p_token, np.maximum(want.p_token, tiny)),
        "log_z": largest(got.log_z, want.log_z, np.maximum(1.0, np.abs(want.log_z))),
        "margin": largest(got.margin, want.margin, want.blend.max()),
    }


def differing(case: Case, got: Outcome, want: oracle.Outcome) -> list[str]:
    """Names of the outputs that must be equal and are not."""
    top_id, top_logit = oracle.top_tokens(decoded(case.logits), want.row_status)
    equal = {
        "token": got.token == want.token,
        "ref_token": got.ref_token == want.ref_token,
        "drawn_row": got.drawn_row == want.drawn_row,
        "near_tie": got.near_tie == want.near_tie,
        "row_status": np.array_equal(got.row_status, want.row_status),
        "top_id": np.array_equal(np.asarray(got.top_id), top_id),
        "top_logit": np.array_equal(np.asarray(got.top_logit), top_logit),
    }
    return [name for name, same in equal.items() if not same]


@dataclass
class Report:
    """Rates, and the largest errors, over the cases compared."""

    cases: int = 0
    refused: int = 0
    near_ties: int = 0
    long: int = 0
    precise: int = 0
    mismatches: list[str] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ERRORS, 0.0))

    def compare(self, auction: Auction, number: int, case: Case) -> None:
        """Run one case on both sides."""
        self.cases += 1
        try:
            want = oracle.auction(decoded(case.logits), case.weights, case.temperature, case.draw)
        except oracle.OracleError:
            self.refused += 1
            wrong = [] if refuses(auction, case) else ["not refused"]
        else:
            wrong = self.answer(auction, case, want)
        if wrong:
            self.mismatches.append(f"case {number} ({case.kind}): {', '.join(wrong)}")

    def answer(self, auction: Auction, case: Case, want: oracle.Outcome) -> list[str]:
        """What differs from an answer; counts it and remembers its errors."""
        got = auction.run(*case.args, draw=case.draw, top=True)
        self.near_ties += got.near_tie
        if case.logits.shape[1] > SHORT_ROW:
            self.long += 1
            self.precise += got.precise
        wrong = differing(case, got, want)
        if got.token == want.token:
            found = errors(case, got, want)
            self.worst = {name: max(worst, found[name]) for name, worst in self.worst.items()}
            wrong += [name for name, error in found.items() if not error <= TOLERANCE]
        return wrong

    def table(self) -> str:
        """For a README."""
        answered = max(self.cases - self.refused, 1)
        rows = [
            ("cases, of these refused by both", f"{self.cases:,}, {self.refused:,}"),
            ("cases that differ", f"{len(self.mismatches):,}"),
            ("flagged near_tie", f"{100 * self.near_ties / answered:.1f} %"),
            (
                f"normalised in float64, of {self.long:,} over {SHORT_ROW:,} tokens",
                f"{100 * self.precise / max(self.long, 1):.1f} %",
            ),
            *((f"{name}, {unit}", f"{self.worst[name]:.1e}") for name, unit in ERRORS.items()),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def refuses(auction: Auction, case: Case) -> bool:
    """Whether the path refuses the reply."""
    try:
        auction.run(*case.args, draw=case.draw)
    except AuctionError:
        return True
    return False


def main() -> None:
    """Compare, print progress every 30 s and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--path", choices=[path.name.lower() for path in Path], default="auto")
    options = parser.parse_args()
    report, said = Report(), time.monotonic()
    with Auction(Path[options.path.upper()]) as auction:
        for number in range(options.first, options.first + options.cases):
            report.compare(auction, number, make(number, options.seed))
            if time.monotonic() - said > 30:
                said = time.monotonic()
                print(f"{report.cases:,} cases", file=sys.stderr, flush=True)
        print(f"path {auction.path.name.lower()}, seed {options.seed}\n\n{report.table()}")
    print("\n".join(report.mismatches[:50]))
    sys.exit(bool(report.mismatches))


if __name__ == "__main__":
    main()
