# SPDX-License-Identifier: Apache-2.0
"""Recomputed bills agree with the receipts; whatever was done to the log is found."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.settlement.faults import Fault
from bls.settlement.recompute import settle
from bls.settlement.record import BIDS, RECEIPTS, VCG, TokenRecord
from bls.settlement.replay import CSV, replay
from tests.settlement.tamper import Json, edit, floats, forge, text
from tests.settlement.workshop import Workshop, receipt, write

Make = Callable[..., Workshop]


@pytest.mark.spec("AUC-I-03")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"charge_rule": "critical_bid"},
        {"mode": "sample"},
        {"rows": 2, "vocab": 5_000, "scale": 1.0},
        {"rows": 6, "scale": 0.5},
    ],
)
def test_bills_recompute_within_a_hundredth_of_a_percent(
    tmp_path: Path, workshop: Make, options: dict[str, Any]
) -> None:
    shop = workshop(**options)
    write(tmp_path, [record for _ in range(10) for record in shop.reply(60)])
    result = settle(tmp_path)
    assert result.ok and not result.faults.counts
    assert (result.tokens, result.receipts) == (600, 10)
    total = result.total
    assert total.charged_micros > 0
    assert abs(total.difference_micros) <= 1e-4 * total.charged_micros
    assert total.charged_micros == sum(a.charged_micros for a in result.accounts.values())


def test_argmax_charges_are_all_proven(tmp_path: Path, workshop: Make) -> None:
    write(tmp_path, workshop().reply(200))
    result = settle(tmp_path)
    assert result.undecided == 0 and result.total.unproven_micros == 0


def test_rare_draws_are_counted_as_unproven(tmp_path: Path, workshop: Make) -> None:
    """A token outside every row's best 16: its charge rests on the logged P(t)."""
    write(tmp_path, workshop(mode="sample", scale=0.3, vocab=2_000).reply(50))
    result = settle(tmp_path)
    assert result.ok and result.undecided > 25 and result.total.unproven_micros > 0


def test_tokens_the_filter_replaced_cost_nothing(tmp_path: Path, workshop: Make) -> None:
    shop = workshop()
    kept = [record for record in shop.reply(20) if isinstance(record, TokenRecord)]
    free = [i for i, t in enumerate(kept) if t.outcome.paid][:3]
    for place in free:
        token = kept[place]
        kept[place] = replace(token, outcome=token.outcome.instead(5, 0.7))
    write(tmp_path, [*kept, receipt(kept[0].head, kept)])
    result = settle(tmp_path)
    assert len(free) == 3 and result.ok and not result.faults.counts
    audit = replay(tmp_path, tmp_path / CSV)
    assert audit.ok and audit.passed == 20


def test_without_logs_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SkynetError) as caught:
        settle(tmp_path)
    assert caught.value.code == "no_records"


def test_a_reply_under_way_or_cut_by_a_crash_is_noted_not_billed(
    tmp_path: Path, workshop: Make
) -> None:
    shop = workshop()
    write(tmp_path, [*shop.reply(10), *shop.reply(10)[:-1]])
    forge(tmp_path / VCG, lambda lines: lines.pop())  # written to one stream, not yet to the other
    result = settle(tmp_path)
    assert result.ok and result.faults.counts == {Fault.UNBILLED: 1, Fault.UNPAIRED: 1}


# -- what is done to a log, and what must be found ---------------------------------------------


def paying(lines: list[Json]) -> Json:
    return next(line for line in lines if any(pay > 1e-3 for pay in line["pay"]))


def raise_pay(lines: list[Json]) -> None:
    line = paying(lines)
    line["pay"] = [pay * 1.01 for pay in line["pay"]]


def invent_pay(lines: list[Json]) -> None:
    next(line for line in lines if not any(line["pay"]))["pay"][1] = 0.05


def flag_policy(lines: list[Json]) -> None:
    paying(lines)["policy"] = True


def move_normaliser(lines: list[Json]) -> None:
    paying(lines)["log_z"][0] -= 1.0


def move_logits(lines: list[Json]) -> None:
    line = paying(lines)
    logits = floats(line["top_logit"]).reshape(-1, 4)
    logits[:, 1] += 0.5
    line["top_logit"] = text(logits)


def other_token(lines: list[Json]) -> None:
    line = paying(lines)
    ids = np.frombuffer(base64.b64decode(line["top_id"]), "<i4")
    line["token"] = int(ids[ids != line["token"]][0])


def double_weight(lines: list[Json]) -> None:
    for line in lines:
        line["weights"][1] *= 2


def wrong_key(lines: list[Json]) -> None:
    lines[3]["request_id"] = "req-of-another"


def wrong_index(lines: list[Json]) -> None:
    lines[3]["token_idx"] = 99


def double(lines: list[Json]) -> None:
    lines.insert(7, dict(lines[5]))


def remove(lines: list[Json]) -> None:
    del lines[4]


def cut_evidence(lines: list[Json]) -> None:
    lines[2]["top_logit"] = lines[2]["top_logit"][:-8]


def later_version(lines: list[Json]) -> None:
    lines[2]["v"] = 99


def cut_rows(lines: list[Json]) -> None:
    lines[2]["pay"] = lines[2]["pay"][:-1]


def not_a_number(lines: list[Json]) -> None:
    lines[2]["log_z"] = ["x"] * 4


def other_advertiser(lines: list[Json]) -> None:
    for line in lines:
        line["advertisers"] = line["advertisers"][::-1]


def raise_bill(lines: list[Json]) -> None:
    lines[0]["lines"][0]["charge_micros"] += 20
    lines[0]["total_micros"] += 20


def bill_that_does_not_add_up(lines: list[Json]) -> None:
    lines[0]["total_micros"] += 1


def bill_more_tokens(lines: list[Json]) -> None:
    lines[0]["completion_tokens"] += 1


def bill_fewer_tokens(lines: list[Json]) -> None:
    lines[0]["completion_tokens"] -= 1


def double_bill(lines: list[Json]) -> None:
    lines.append(dict(lines[0]))


@pytest.mark.parametrize(
    ("stream", "change", "found"),
    [
        (VCG, raise_pay, {Fault.REFUTED}),
        (VCG, invent_pay, {Fault.REFUTED}),
        (VCG, flag_policy, {Fault.REFUTED}),
        (VCG, move_normaliser, {Fault.REFUTED}),
        (VCG, move_logits, {Fault.REFUTED}),
        (VCG, other_token, {Fault.REFUTED}),
        (BIDS, double_weight, {Fault.REFUTED}),
        (BIDS, wrong_key, {Fault.UNPAIRED, Fault.MISSING}),
        (VCG, wrong_key, {Fault.UNPAIRED, Fault.MISSING}),
        (VCG, wrong_index, {Fault.UNPAIRED, Fault.MISSING}),
        (VCG, double, {Fault.DUPLICATE}),
        (BIDS, double, {Fault.DUPLICATE}),
        (VCG, remove, {Fault.UNPAIRED, Fault.MISSING}),
        (BIDS, remove, {Fault.UNPAIRED, Fault.MISSING}),
        (VCG, cut_evidence, {Fault.MALFORMED, Fault.MISSING}),
        (VCG, later_version, {Fault.MALFORMED, Fault.MISSING}),
        (VCG, cut_rows, {Fault.MALFORMED, Fault.MISSING}),
        (VCG, not_a_number, {Fault.MALFORMED, Fault.MISSING}),
        (BIDS, other_advertiser, {Fault.MISMATCH}),
        (RECEIPTS, raise_bill, {Fault.MISMATCH}),
        (RECEIPTS, bill_that_does_not_add_up, {Fault.MALFORMED}),
        (RECEIPTS, bill_more_tokens, {Fault.MISSING}),
        (RECEIPTS, bill_fewer_tokens, {Fault.EXTRA}),
        (RECEIPTS, double_bill, {Fault.DUPLICATE}),
    ],
)
def test_tampering_is_found_with_and_without_a_new_chain(
    tmp_path: Path,
    workshop: Make,
    stream: str,
    change: Callable[[list[Json]], None],
    found: set[Fault],
) -> None:
    """A careful forger is caught by the contents, a clumsy one by the chain as well."""
    records = workshop().reply(40)
    for forger in (forge, edit):
        folder = tmp_path / forger.__name__
        write(folder, records)
        assert settle(folder).ok
        forger(folder / stream, change)
        result = settle(folder)
        assert not result.ok
        assert found <= set(result.faults.counts)
        assert (Fault.BROKEN_CHAIN in result.faults.counts) == (forger is edit)


def test_both_halves_removed_or_doubled(tmp_path: Path, workshop: Make) -> None:
    """Nothing is unpaired then: the receipt and the keys still tell."""
    records = workshop().reply(20)
    for name, change, fault in (
        ("gone", remove, Fault.MISSING),
        ("twice", double, Fault.DUPLICATE),
    ):
        write(tmp_path / name, records)
        for stream in (BIDS, VCG):
            forge(tmp_path / name / stream, change)
        result = settle(tmp_path / name)
        assert not result.ok and fault in result.faults.counts


def test_a_missing_stream_is_an_error(tmp_path: Path, workshop: Make) -> None:
    write(tmp_path, workshop().reply(5))
    (tmp_path / BIDS).unlink()
    with pytest.raises(SkynetError) as caught:
        settle(tmp_path)
    assert BIDS in caught.value.message


def test_lines_moved_between_files_are_found(tmp_path: Path, workshop: Make) -> None:
    write(tmp_path, workshop().reply(20))
    file = tmp_path / VCG
    lines = file.read_bytes().splitlines(keepends=True)
    lines[3], lines[9] = lines[9], lines[3]
    file.write_bytes(b"".join(lines))
    assert Fault.BROKEN_CHAIN in settle(tmp_path).faults.counts
