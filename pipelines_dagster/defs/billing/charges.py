# SPDX-License-Identifier: Apache-2.0
"""What a day's replies cost each advertiser: out of the lake, recomputed, and against the ledger.

A reply is billed on the day of its receipt. Its tokens' charges are derived again from their
records (`bls.settlement`), must add up to the receipt, and the receipts must be those of the
serving host's own ledger, to the last micro-unit.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from bls.settlement.faults import Fault, Faults
from bls.settlement.reader import Joined, Json, Reader, ReplyKey, name
from bls.settlement.recompute import Settlement, agree, settle_records
from bls.settlement.record import BIDS, RECEIPTS, VCG
from bls.settlement.refunds import net
from bls.settlement.segments import files
from pipelines_dagster.defs.gdpr.predicate import BLANK
from pipelines_dagster.defs.gdpr.subject import Kind
from pipelines_dagster.defs.gdpr.tombstones import Tombstones
from pipelines_dagster.defs.ingest.verify import gap_fault
from pipelines_dagster.lake.lake import Lake

_BIDS, _VCG, _TRACE = "bronze/auction_bids", "bronze/auction_vcg", "bronze/e2e_trace"
_CLICKS = "bronze/click_logs"
_TOPICS = (BIDS, VCG, RECEIPTS)
_LATE_S = 240
"""A receipt this long after midnight is in the lake: so is everything of the day."""
_KEY = ["conv_id", "request_id"]
_U64 = 2**64
_AROUND_DAYS = 28


@dataclass(frozen=True)
class Line:
    """One advertiser's part of a day. `charge_micros`: the sum of its receipts; `refund_micros` of
    it was given back on them, for invalid traffic."""

    day: str
    tokens: int
    replies: int
    impressions: int
    charge_micros: int
    recomputed_micros: int
    refund_micros: int = 0

    @property
    def net_micros(self) -> int:
        """What is asked for."""
        return self.charge_micros - self.refund_micros


@dataclass
class DayCharges:
    """One day.

    Attributes:
        lines: by advertiser; erased ones are nobody's and not here.
        held: advertiser -> why nothing may be invoiced of this day; `""` holds everybody.
        compared: receipts that the ledger was asked about; None without a ledger here.
    """

    day: str
    currency: str = ""
    lines: dict[str, Line] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    compared: int | None = None
    faults: Faults = field(default_factory=Faults)


def charges_of(lake: Lake, day: str, ledger: Path | None) -> DayCharges:
    """The charges of a UTC day. `ledger`: log folder of the serving host, None without one here."""
    found = DayCharges(day)
    trace = _rows(lake, _TRACE, [day])
    receipts = _receipts(trace, found)
    settled = settle_records(receipts, _tokens(lake, day, receipts, found.faults), found.faults)
    impressions = _impressions(lake, day)
    for advertiser, account in sorted(settled.accounts.items()):
        if advertiser != BLANK:
            found.lines[advertiser] = Line(
                day,
                account.tokens,
                account.replies,
                impressions[advertiser],
                account.charged_micros,
                account.recomputed_micros,
                account.refunded_micros,
            )
    _hold(found, settled)
    if ledger is not None and files(ledger, RECEIPTS):
        _against_ledger(lake, found, receipts, ledger)
    elif receipts and (doubt := _in_doubt(lake, day)):
        found.held.setdefault("", doubt)
    return found


def _in_doubt(lake: Lake, day: str) -> str:
    """Why the lake may not have all of a day; empty when it has, as far as it can tell itself."""
    for topic in _TOPICS:
        if fault := gap_fault(lake, topic):
            return f"the lake has a gap: {fault}"
    newest = lake.scan(_TRACE).select(pl.col("ts").max()).collect().item()
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    if newest is None or newest < midnight.timestamp() + _LATE_S:
        return "no ledger here, and the lake may not have all of the day yet"
    return ""


def _hold(found: DayCharges, settled: Settlement) -> None:
    if found.faults.serious:
        kinds = sorted(fault.title for fault in found.faults.counts if fault.serious)
        found.held[""] = f"records in doubt: {', '.join(kinds)}"
    for advertiser, account in settled.accounts.items():
        if not agree(account.charged_micros, account.recomputed_micros):
            found.held[advertiser] = "receipts and records differ by more than 0.01 %"


def _receipts(trace: pl.DataFrame, found: DayCharges) -> dict[ReplyKey, Json]:
    receipts: dict[ReplyKey, Json] = {}
    for row in trace.iter_rows(named=True):
        key = (row["conv_id"], row["request_id"])
        if key in receipts:
            found.faults.add(Fault.DUPLICATE, f"receipt {name(key)}")
        receipts[key] = row
    currencies = sorted({str(row["currency"]) for row in receipts.values()})
    found.currency = currencies[0] if currencies else ""
    if len(currencies) > 1:
        found.held[""] = f"several currencies: {', '.join(currencies)}"
    return receipts


def _tokens(
    lake: Lake, day: str, receipts: dict[ReplyKey, Json], faults: Faults
) -> Iterator[Joined]:
    """Both records of every token of the day's replies; a reply may have begun the day before."""
    days = [(date.fromisoformat(day) - timedelta(days=1)).isoformat(), day]
    wanted = pl.DataFrame(list(receipts), schema=dict.fromkeys(_KEY, pl.String), orient="row")
    bids, vcg = (_rows(lake, one, days).join(wanted, on=_KEY) for one in (_BIDS, _VCG))
    if bids.is_empty() or vcg.is_empty():
        return
    on = [*_KEY, "token_idx"]
    for side, table in ((bids, _BIDS), (vcg, _VCG)):
        for key in side.filter(side.select(on).is_duplicated()).select(on).rows():
            faults.add(Fault.DUPLICATE, f"{table} {name(key)}")
    keep = [*on, *(c for c in vcg.columns if c not in bids.columns)]
    both = bids.unique(on).join(vcg.unique(on).select(keep), on=on)
    for row in both.sort(on).iter_rows(named=True):
        yield Joined((row["conv_id"], row["request_id"], row["token_idx"]), row, _packed(row))


def _packed(row: dict[str, Any]) -> dict[str, Any]:
    """Evidence and u64 numbers as the ledger writes them."""
    for column in ("seed", "conv"):
        row[column] = int(row[column]) % _U64
    for column in ("top_id", "top_logit"):
        row[column] = b2a_base64(row[column], newline=False).decode("ascii")
    return row


def _impressions(lake: Lake, day: str) -> Counter[str]:
    rows = _rows(lake, _CLICKS, [day])
    if rows.is_empty():
        return Counter()
    sums = rows.group_by("advertiser").agg(pl.col("impressions").sum())
    return Counter(dict(sums.select("advertiser", "impressions").rows()))


def _against_ledger(
    lake: Lake,
    found: DayCharges,
    receipts: dict[ReplyKey, Json],
    ledger: Path,
) -> None:
    """Every receipt of the day that is there must be here, with its charges, and the other way
    round for what this host recorded. What was erased by request is in neither."""
    faults, stones = Faults(), Tombstones.load(lake)
    everything = Reader(ledger, faults).receipts()
    there = {
        key: receipt
        for key, receipt in everything.items()
        if _day(receipt["ts"]) == found.day and not stones.covers(Kind.CONV, key[0], billing=True)
    }
    if faults.serious:
        found.held[""] = "the ledger's chain does not hold"
    here = {key: row for key, row in receipts.items() if BLANK not in net(row)}
    own = _own_sources(lake, found.day, everything.keys())
    found.compared = len(there)
    for key in there.keys() | {key for key in here if here[key]["source"] in own}:
        one, other = net(there.get(key, {})), net(here.get(key, {}))
        for advertiser in one.keys() | other.keys():
            if one[advertiser] != other[advertiser]:
                found.held[advertiser] = "the lake and the ledger differ"


def _own_sources(lake: Lake, day: str, ledger: Collection[ReplyKey]) -> set[str]:
    """What this host's records are called in the lake, by its replies of the weeks around."""
    middle = date.fromisoformat(day)
    around = range(-_AROUND_DAYS, _AROUND_DAYS + 1)
    days = [(middle + timedelta(days=n)).isoformat() for n in around]
    known = pl.DataFrame(list(ledger), schema=dict.fromkeys(_KEY, pl.String), orient="row")
    mine = _rows(lake, _TRACE, days).join(known, on=_KEY, how="semi")
    return set(mine["source"].unique())


def _rows(lake: Lake, table: str, days: list[str]) -> pl.DataFrame:
    if lake.open(table) is None:
        return pl.DataFrame(schema=dict.fromkeys([*_KEY, "source"], pl.String))
    return lake.scan(table).filter(pl.col("dt").is_in(days)).collect()


def _day(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d")
