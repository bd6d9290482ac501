# SPDX-License-Identifier: Apache-2.0
"""The benchmark's random and adversarial cases, a few hundred of them: a path is the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from kernels_cuda.auction import Auction, Path
from kernels_cuda.bench.cases import KINDS, make
from kernels_cuda.bench.parity import ERRORS, TOLERANCE, Report


def compare(auction: Auction, numbers: range, most: int) -> Report:
    report = Report()
    for number in numbers:
        report.compare(auction, number, make(number, seed=1, most=most))
    return report


@pytest.mark.spec("AUC-U-09")
def test_a_path_is_the_oracle(auction: Auction) -> None:
    report = compare(auction, range(300), 6000)
    assert report.cases == 300 and report.refused < 20
    assert report.mismatches == []
    assert max(report.worst.values()) <= TOLERANCE


@pytest.mark.spec("AUC-U-09")
def test_the_fast_path_is_the_oracle_on_whole_vocabularies() -> None:
    with Auction(Path.AUTO) as auction:
        assert compare(auction, range(1000, 1045), 152_064).mismatches == []


def test_every_kind_of_case_and_both_modes_occur() -> None:
    made = [make(number, seed=1, most=200) for number in range(4 * len(KINDS))]
    assert {case.kind for case in made} == {kind.__name__ for kind in KINDS}
    assert {case.draw is None for case in made} == {True, False}
    assert {case.logits.dtype.name for case in made} == {"float32", "float16", "uint16"}


def test_a_case_depends_on_its_number_and_seed_alone() -> None:
    first, again, other = make(3, seed=1), make(3, seed=1), make(3, seed=2)
    np.testing.assert_array_equal(first.logits, again.logits)
    assert first.draw == again.draw and first.logits.shape != other.logits.shape


def test_a_wrong_answer_is_reported() -> None:
    """A path that reads another reply than the oracle does not pass."""
    report, case, other = Report(), make(0, seed=1, most=100), make(15, seed=1, most=100)
    with Auction(Path.AUTO) as auction:

        class Elsewhere:
            def run(self, *_args: object, **_options: object) -> object:
                return auction.run(*other.args, draw=other.draw, top=True)

        report.compare(Elsewhere(), 0, case)  # type: ignore[arg-type]
    assert len(report.mismatches) == 1 and "token" in report.mismatches[0]
    assert "| cases that differ | 1 |" in report.table()
    assert all(name in report.table() for name in ERRORS)
