# SPDX-License-Identifier: Apache-2.0
"""The real server: f(tau) of a reply's shop session, from its first token to bills and budgets."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from bls.errors import SkynetError
from bls.request import Message, ReplyRequest, ScoreUpdate, parse_request
from bls.settlement.recompute import settle
from client.gateway.events import End, Event, Start, Token
from client.gateway.upstream import Triton
from tests.system.probe import TRIP, Probe

SELLER = {"advertiser": "alpine_rail", "bid": 20.0}
OTHER = {"advertiser": "harbor_hotels", "bid": 9.0}


def asked(name: str, **fields: Any) -> ReplyRequest:
    """Two fixed bids that are large enough to be charged."""
    return ReplyRequest.model_validate(
        {
            "request_id": f"req-{name}",
            "conv_id": f"conv-{name}",
            "messages": tuple(Message.model_validate(turn) for turn in TRIP),
            "max_tokens": 24,
            "auction": {"bidders": (SELLER, OTHER)},
            **fields,
        }
    )


def written(probe: Probe, request: ReplyRequest, rescored: float | None = None) -> list[Event]:
    """The events of a reply; `rescored` is told after its third token."""

    async def run() -> list[Event]:
        triton = Triton(probe.stack.triton_address)
        events: list[Event] = []
        try:
            async with aclosing(triton.events(request)) as found:
                async for event in found:
                    events.append(event)
                    if rescored is not None and isinstance(event, Token) and event.index == 2:
                        update = ScoreUpdate(
                            request_id=request.request_id,
                            conv_id=request.conv_id,
                            agent_probability=rescored,
                        )
                        done = await triton.update(update, 5.0)
                        assert done.conv_id == request.conv_id and done.applied_from >= 3
        finally:
            await triton.close()
        return events

    return asyncio.run(run())


@pytest.mark.spec("PH-12", "PH-13")
def test_a_session_that_turns_out_to_be_an_agent_is_refunded(probe: Probe) -> None:
    request = asked("late", session_id="shop-1", agent_probability=0.1)
    refunded = probe.metric("auc_refunded_micros_total")
    events = written(probe, request, rescored=0.99)
    assert isinstance(events[0], Start) and events[0].invalid_at == 0.95
    assert isinstance(events[-1], End)
    receipt = events[-1].receipt
    assert receipt["traffic"]["agent_probability"] == 0.99 and not receipt["traffic"]["valid"]
    assert receipt["refunded_micros"] == receipt["total_micros"] > 0 == receipt["net_micros"]
    charges = sum(sum(event.charge) for event in events if isinstance(event, Token))
    assert charges > 0  # what the auction decided is told as ever
    probe.eventually(
        lambda: request.request_id in {r["request_id"] for r in probe.log("e2e.trace")}
    )
    (line,) = [r for r in probe.log("e2e.trace") if r["request_id"] == request.request_id]
    assert line["refunds"] == receipt["refunds"] and line["traffic"] == receipt["traffic"]
    result = settle(probe.stack.settings.logs)
    assert result.ok and result.total.difference_micros == 0
    assert result.total.refunded_micros >= receipt["refunded_micros"]
    total = refunded + receipt["refunded_micros"]
    probe.eventually(lambda: probe.metric("auc_refunded_micros_total") == total)


@pytest.mark.spec("PH-02")
def test_hosted_ads_bid_less_for_an_agent_and_say_so(probe: Probe) -> None:
    """Selected campaigns are the controller's: their decisions have the discount."""
    auction: dict[str, Any] = {"auction": {}}
    for name, score in (("person", 0.1), ("agent", 0.9)):
        session = {"session_id": f"shop-{name}", "agent_probability": score}
        events = written(probe, asked(name, **auction, **session))
        assert isinstance(events[-1], End)

    def decided(name: str) -> list[dict[str, Any]]:
        return [r for r in probe.log("mpc.decisions") if r["conv_id"] == f"conv-{name}"]

    probe.eventually(lambda: bool(decided("person")) and bool(decided("agent")))
    assert {line["discount"] for line in decided("person")} == {1.0}
    assert {round(line["discount"], 6) for line in decided("agent")} == {0.125}
    assert {line["loss_discount"] for line in decided("agent")} == {1.0}


def test_a_reply_that_is_over_takes_no_score(probe: Probe) -> None:
    async def tell() -> None:
        triton = Triton(probe.stack.triton_address)
        try:
            told = {"request_id": "r", "conv_id": "conv-nobody", "agent_probability": 0.5}
            await triton.update(ScoreUpdate.model_validate(told), 5.0)
        finally:
            await triton.close()

    with pytest.raises(SkynetError) as refused:
        asyncio.run(tell())
    assert refused.value.code == "conversation_not_found"


def test_a_score_without_its_session_is_refused() -> None:
    raw = asked("odd").model_dump_json(exclude_none=True)
    with pytest.raises(SkynetError):
        parse_request(
            raw.replace('"max_tokens"', '"agent_probability": 0.5, "max_tokens"').encode()
        )
