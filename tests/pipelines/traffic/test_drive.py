# SPDX-License-Identifier: Apache-2.0
"""Visits against the real gateway with a scripted server behind it: bids go in, failures count."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from bls.errors import SkynetError
from bls.request import BidUpdate, ReplyRequest
from pipelines_dagster.traffic.drive import Background, drive
from pipelines_dagster.traffic.plan import TrafficPlan
from pipelines_dagster.traffic.report import TrafficReport
from tests.client.fake_script import Fail, Send, Sleep, Step, end, start, token
from tests.client.fake_triton import FakeTriton, wait_until
from tests.client.harness import LiveGateway

TOKENS = 12


def slow(request: ReplyRequest) -> Iterator[Step]:
    """A reply of twelve tokens, one every 20 ms, to the bidders it was asked for."""
    bidders = request.auction.bidders or ()
    rows = ("reference", *(bidder.advertiser for bidder in bidders))
    opened = start(request, rows[:3])
    yield opened
    for index in range(TOKENS):
        yield Sleep(0.02)
        yield token(index, " on", 1 if index < 2 else 0)
    yield end(request, TOKENS)


def plan(**changes: object) -> TrafficPlan:
    fields: dict[str, object] = {"replies": 3, "concurrency": 2, "rivals": (2, 2), "clicks": False}
    return TrafficPlan(**(fields | changes))  # type: ignore[arg-type]


def test_replies_and_live_bids(gateway: LiveGateway, triton: FakeTriton) -> None:
    triton.script = slow
    report = drive(gateway.url, plan())
    assert (report.replies, report.failures) == (3, 0)
    assert report.tokens == 3 * TOKENS
    assert report.sponsored == 6
    assert report.updates == len(triton.updates) > 3
    asked = {request.conv_id: request for request in triton.requests}
    for update in triton.updates:
        bidders = asked[update.conv_id].auction.bidders or ()
        assert set(update.bids) == {b.advertiser for b in bidders if b.bid is not None}
    assert not math.isnan(report.percentile(95))
    assert ("failed requests", "0") in report.rows()


def test_bids_change_from_update_to_update(gateway: LiveGateway, triton: FakeTriton) -> None:
    triton.script = slow
    drive(gateway.url, plan(replies=1))
    bids = [tuple(update.bids.values()) for update in triton.updates]
    assert len(set(bids)) == len(bids) > 1


def test_a_refusal_is_counted_by_its_code(gateway: LiveGateway, triton: FakeTriton) -> None:
    triton.script = lambda request: [Fail(SkynetError("overloaded", "Later.", 503))]
    report = drive(gateway.url, plan())
    assert report.failed == {"overloaded": 3}
    assert report.replies == 0
    assert "overloaded 3" in dict(report.rows())["failed requests"]


def test_a_bid_that_came_too_late_is_no_failure(gateway: LiveGateway, triton: FakeTriton) -> None:
    def gone(update: BidUpdate) -> list[Step]:
        return [Fail(SkynetError("conversation_not_found", "No such reply.", 404))]

    triton.script, triton.on_update = slow, gone
    report = drive(gateway.url, plan(replies=1))
    assert report.failures == 0
    assert report.late > 0


def test_a_bid_that_is_refused_is_one(gateway: LiveGateway, triton: FakeTriton) -> None:
    triton.script = slow
    triton.on_update = lambda update: [Fail(SkynetError("too_many_updates", "Slower.", 429))]
    report = drive(gateway.url, plan(replies=1))
    assert set(report.failed) == {"too_many_updates"}
    assert report.replies == 1


def test_nobody_there() -> None:
    report = drive("http://127.0.0.1:9", plan(replies=1))
    assert report.failed == {"ConnectError": 1}


def test_in_the_background_until_told(gateway: LiveGateway, triton: FakeTriton) -> None:
    triton.script = slow
    with Background(gateway.url, plan(replies=10_000, seconds=600.0)) as traffic:
        assert wait_until(lambda: traffic.report.replies >= 2, 30)
    replies = traffic.report.replies
    assert traffic.report.failures == 0
    assert len(triton.requests) == replies


def test_a_fault_of_its_own_is_told(gateway: LiveGateway, tmp_path: object) -> None:
    broken = plan(campaigns=tmp_path)
    with pytest.raises(SkynetError) as caught, Background(gateway.url, broken):
        pass
    assert caught.value.code == "bad_campaigns"


def test_a_report_of_nothing() -> None:
    assert dict(TrafficReport().rows())["failed requests"] == "0"


def test_receipt_lines_become_clicks(gateway: LiveGateway, triton: FakeTriton) -> None:
    """The server's own route takes them, or says that it has none: either way each is accounted."""

    def receipt(request: ReplyRequest) -> list[Step]:
        bidders = request.auction.bidders or ()
        made = end(request, 0)
        lines = "".join(str(made.values["RECEIPT"]))
        for at, name in enumerate(("nimbus_air", "casa_verde")):
            lines = lines.replace(f'"{name}"', f'"{bidders[at].advertiser}"')
        return [start(request), Send({**made.values, "RECEIPT": lines})]

    triton.script = receipt
    report = drive(gateway.url, plan(replies=1, clicks=True))
    assert report.replies == 1
    assert report.clicks + report.failures == 1
