# SPDX-License-Identifier: Apache-2.0
"""Remote bidders and live bids on the real stack: real server, tiny model, real gRPC both ways."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.remote.chunk import Fault
from bls.remote.remote_bidder_pb2 import LogitChunk, Open, TopK
from client.launcher.stack import Stack
from client.replies import ReplyError
from client.thin import update_bids
from tests.remote.conftest import AD, DEADLINE_MS, campaigns, settings
from tests.remote.scripted_bidder import (
    Act,
    Quit,
    Script,
    ScriptedBidder,
    Sleep,
    silent,
    top,
    until,
)
from tests.system.probe import Probe

FAR = {"bidders": [{"advertiser": "near", "bid": 0.0}, {"advertiser": "far", "bid": 5.0}]}


def reply(probe: Probe, tokens: int = 8, **skynet: Any) -> list[dict[str, Any]]:
    return probe.tokens(skynet=FAR | skynet, max_tokens=tokens)


def status(token: dict[str, Any], advertiser: str = "far") -> str:
    return next(str(r["status"]) for r in token["rows"] if r["advertiser"] == advertiser)


def left_out(probe: Probe, reason: str) -> float:
    return probe.labelled("auc_remote_left_out_total", advertiser="far", reason=reason)


def slowly(seconds: float, token: int = 40) -> Script:
    """Hold every token back, so that a test has time to do something meanwhile."""
    return lambda opening, index: [Sleep(seconds), top(opening, index, {token: 30.0})]


@pytest.fixture(autouse=True)
def _fresh_breaker(probe: Probe, far: ScriptedBidder) -> None:
    """The last test may have left the bidder alone for a while."""
    until(lambda: status(reply(probe, 1)[0]) == "ok", 10)


def test_a_remote_bidder_wins_tokens_and_pays(probe: Probe, far: ScriptedBidder) -> None:
    far.opens.clear()
    events = list(probe.events(skynet=FAR, max_tokens=6))
    fields = [event.get("skynet", {}) for event in events]
    tokens = [field for field in fields if "token_id" in field]
    assert [token["token_id"] for token in tokens] == [40] * 6
    assert {token["winner"] for token in tokens} == {"far"}
    assert all(token["rows"][1]["charge"] > 0 for token in tokens)
    receipt = next(field["receipt"] for field in fields if "receipt" in field)
    near, line = receipt["lines"]
    assert (line["advertiser"], line["tokens_influenced"], line["tokens_dropped"]) == ("far", 6, 0)
    assert line["charge_micros"] > 0 == near["charge_micros"]
    assert "Far" in receipt["disclosure"]
    (opening,) = far.opens
    assert opening.deadline_ms == DEADLINE_MS and len(opening.prompt) == receipt["prompt_tokens"]


def test_the_reference_bidder_is_worth_a_local_row(probe: Probe) -> None:
    """The same ad prompt, weight and chat: one row computed here, one by the advertiser."""

    def auctioned(bidder: dict[str, Any]) -> list[dict[str, Any]]:
        bidders = [{"advertiser": "near", "bid": 1.0}, bidder]
        return probe.tokens(skynet={"bidders": bidders}, max_tokens=12)

    here = auctioned({"advertiser": "hotel", "bid": 4.0, "ad_prompt": AD})
    there = auctioned({"advertiser": "harbour", "bid": 4.0})
    assert [token["token_id"] for token in there] == [token["token_id"] for token in here]
    assert {status(token, "harbour") for token in there} == {"ok"}
    for remote, local in zip(there, here, strict=True):
        for field in ("charge", "p_token"):
            assert remote["rows"][1][field] == pytest.approx(local["rows"][1][field], abs=1e-3)
    assert any(token["rows"][1]["charge"] > 0 for token in there)


def test_campaigns_bring_remote_bidders_of_their_own(probe: Probe) -> None:
    asked = [{"role": "user", "content": "Which trail shoes should I buy for the trip?"}]
    token = probe.tokens(max_tokens=1, messages=asked)[0]
    assert [row["advertiser"] for row in token["rows"]] == ["near", "far", "harbour"]
    assert [row["status"] for row in token["rows"]] == ["ok"] * 3


def test_a_late_bidder_is_left_out_and_tokens_keep_flowing(
    probe: Probe, far: ScriptedBidder
) -> None:
    """It costs its deadline a few times, then nothing: never what it asks for."""
    before = left_out(probe, "deadline")
    far.script = slowly(0.5)
    began = time.monotonic()
    tokens = reply(probe, 60)
    seconds = time.monotonic() - began
    assert len(tokens) == 60 and {status(token) for token in tokens} == {"empty"}
    assert all(token["rows"][1]["charge"] == 0 for token in tokens)
    assert seconds < LIMITS.remote_misses * DEADLINE_MS / 1e3 + 1.5
    probe.eventually(lambda: left_out(probe, "deadline") >= before + 60)
    probe.eventually(lambda: probe.metric("auc_remote_streams") == 0)


def test_a_late_answer_is_counted(probe: Probe, far: ScriptedBidder) -> None:
    def script(opening: Open, index: int) -> list[Act]:
        pause = 2 * DEADLINE_MS / 1e3 if index == 0 else 0
        return [Sleep(pause), top(opening, index, {40: 30.0})]

    before = probe.labelled("auc_remote_late_total", advertiser="far")
    far.script = script
    tokens = reply(probe, 8)
    assert status(tokens[0]) == "empty" and status(tokens[-1]) == "ok"
    probe.eventually(lambda: probe.labelled("auc_remote_late_total", advertiser="far") > before)


def test_a_slow_bidder_slows_its_own_reply_only(probe: Probe, far: ScriptedBidder) -> None:
    """Nobody's decode batch is held for a reply that waits for its bidder."""
    far.script = slowly(LIMITS.gather_s - 0.01)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(reply, probe, 60)
        until(lambda: far.live == 1)
        began = time.monotonic()
        near = {"bidders": [{"advertiser": "near", "bid": 1.0}]}
        quick = probe.tokens(skynet=near, max_tokens=40)
        seconds = time.monotonic() - began
        assert not slow.done()
        assert {status(token) for token in slow.result()} == {"ok"}
    assert len(quick) == 40
    assert seconds < 40 * LIMITS.gather_s / 2


def _twice(opening: Open, index: int) -> list[Act]:
    twice = TopK(id=[1, 1], logit=[1, 1])
    return [LogitChunk(index=index, vocabulary=opening.vocabulary, top_k=twice)]


def _another_hash(opening: Open, index: int) -> list[Act]:
    return [LogitChunk(index=index, vocabulary=bytes(32), top_k=TopK(id=[1], logit=[1]))]


MALFORMED: dict[Fault, Script] = {
    Fault.ENCODING: lambda opening, index: [b"\xff\xff"],
    Fault.VOCABULARY: _another_hash,
    Fault.SIZE: lambda opening, index: [top(opening, index, dict.fromkeys(range(9), 1.0))],
    Fault.ID: lambda opening, index: [top(opening, index, {512: 1.0})],
    Fault.DUPLICATE: _twice,
    Fault.NOT_FINITE: lambda opening, index: [top(opening, index, {1: float("inf")})],
    Fault.ORDER: lambda opening, index: [top(opening, index + 1, {1: 1.0})],
    Fault.TOO_LARGE: lambda opening, index: [bytes(1_000_000)],
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_nonsense_is_left_out_and_counted(probe: Probe, far: ScriptedBidder, fault: Fault) -> None:
    def count() -> float:
        name = "auc_remote_malformed_total"
        return probe.labelled(name, advertiser="far", reason=fault.value)

    before = count()
    far.script = MALFORMED[fault]
    tokens = reply(probe, 6)
    assert len(tokens) == 6 and {status(token) for token in tokens} == {"empty"}
    probe.eventually(lambda: count() > before)


def test_a_bidder_killed_mid_reply_is_back_for_a_later_one(
    probe: Probe, far: ScriptedBidder
) -> None:
    far.script = slowly(0.02)
    seen: list[str] = []
    for event in probe.events(skynet=FAR, max_tokens=40):
        field = event.get("skynet", {})
        if "token_id" in field:
            seen.append(status(field))
            if len(seen) == 5:
                far.stop()
    far.start()
    assert seen[:5] == ["ok"] * 5 and len(seen) == 40
    assert seen[-20:] == ["empty"] * 20
    until(lambda: status(reply(probe, 1)[0]) == "ok", 10)


def test_a_broken_stream_costs_no_time(probe: Probe, far: ScriptedBidder) -> None:
    far.script = lambda opening, index: [Quit()]
    began = time.monotonic()
    assert {status(token) for token in reply(probe, 20)} == {"empty"}
    assert time.monotonic() - began < 1.0
    before = left_out(probe, "unavailable")
    assert {status(token) for token in reply(probe, 20)} == {"empty"}
    probe.eventually(lambda: left_out(probe, "unavailable") >= before + 20)
    assert probe.labelled("auc_remote_unavailable_total", advertiser="far") >= 1


def test_a_hang_up_closes_the_streams(probe: Probe, far: ScriptedBidder) -> None:
    far.script = slowly(0.03)
    stream = probe.events(skynet=FAR, max_tokens=200)
    for _ in range(4):
        next(stream)
    assert far.live == 1
    stream.close()
    until(lambda: far.live == 0)
    probe.eventually(lambda: probe.metric("auc_remote_streams") == 0)
    probe.all_rows_free()


def test_a_lost_worker_is_replayed_with_new_streams(probe: Probe, far: ScriptedBidder) -> None:
    """The reply goes on with the tokens it had; the bidder hears the whole of it again."""
    calm = reply(probe, 30)
    far.script = slowly(0.02)
    far.opens.clear()
    seen: list[dict[str, Any]] = []
    for event in probe.events(skynet=FAR, max_tokens=30):
        field = event.get("skynet", {})
        if "token_id" in field:
            seen.append(field)
            if len(seen) == 8:
                probe.worker().kill()
    assert [token["index"] for token in seen] == list(range(30))
    assert [t["token_id"] for t in seen[:8]] == [t["token_id"] for t in calm[:8]]
    assert status(seen[-1]) == "ok"
    assert len(far.opens) == 2 and far.opens[0].prompt == far.opens[1].prompt
    assert not [line for line in probe.log("replay.audit") if not line["identical"]]


def test_many_replies_share_a_bidder(probe: Probe, far: ScriptedBidder) -> None:
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda _: reply(probe, 6), range(10)))
    assert all([t["token_id"] for t in tokens] == [40] * 6 for tokens in done)
    until(lambda: far.live == 0)


# -- bids that change --------------------------------------------------------------------------


@pytest.mark.spec("AUC-I-05")
@pytest.mark.parametrize(("advertiser", "new"), [("far", 0.0), ("near", 100.0)])
def test_a_bid_changes_mid_reply(
    probe: Probe, far: ScriptedBidder, advertiser: str, new: float
) -> None:
    """The next token is auctioned at the new bid: its BID says so, and so does its outcome.

    A remote bidder leaves, or a local one, whose model is less sure of itself, outbids it.
    """
    far.script = slowly(0.02)
    before = probe.metric("auc_weight_reload_total")
    seen: list[dict[str, Any]] = []
    applied_from = 0
    old = {"near": 0.0, "far": 0.5}
    bidders = [{"advertiser": name, "bid": bid} for name, bid in old.items()]
    skynet = {"bidders": bidders, "w_ref": 0.1, "conv_id": f"live-{advertiser}"}
    for event in probe.events(skynet=skynet, max_tokens=40):
        field = event.get("skynet", {})
        if "token_id" in field:
            seen.append(field)
            if len(seen) == 6:
                bids = {advertiser: new}
                applied_from = update_bids(probe.url, f"live-{advertiser}", bids)
    assert 6 <= applied_from < 39
    row = list(old).index(advertiser)
    told = [token["rows"][row]["bid"] for token in seen]
    assert told == [old[advertiser]] * applied_from + [new] * (len(seen) - applied_from)
    assert {t["winner"] for t in seen[:applied_from]} == {"far"}
    assert "far" not in {t["winner"] for t in seen[applied_from:]}
    assert [t["token_id"] for t in seen[:applied_from]] == [40] * applied_from
    assert any(t["token_id"] != 40 for t in seen[applied_from:])
    probe.eventually(lambda: probe.metric("auc_weight_reload_total") == before + 1)

    def logged() -> list[float]:
        lines = [x for x in probe.log("auction.bids") if x["conv_id"] == f"live-{advertiser}"]
        return [line["weights"][row + 1] for line in lines]

    probe.eventually(lambda: len(logged()) == len(told))
    assert logged() == told


def test_updates_that_are_refused(probe: Probe, far: ScriptedBidder) -> None:
    far.script = slowly(0.02)

    def refused(conv_id: str, bids: dict[str, float]) -> tuple[str, int | None]:
        with pytest.raises(ReplyError) as caught:
            update_bids(probe.url, conv_id, bids)
        return caught.value.code, caught.value.status

    assert refused("nobody", {"far": 1.0}) == ("conversation_not_found", 404)
    stream = probe.events(skynet=FAR | {"conv_id": "busy"}, max_tokens=200)
    for _ in range(3):
        next(stream)
    assert refused("busy", {"stranger": 1.0}) == ("unknown_advertiser", 400)
    assert refused("busy", {"far": LIMITS.bid_max + 1}) == ("invalid_auction", 400)
    again = probe.post(skynet=FAR | {"conv_id": "busy"})
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "conversation_live"
    with httpx.Client() as http:
        url, body = f"{probe.url}/v1/replies/busy/bids", {"bids": {"far": 3.0}}
        codes = [http.put(url, json=body).status_code for _ in range(LIMITS.bid_updates_per_s + 5)]
    assert codes[: LIMITS.bid_updates_per_s] == [200] * LIMITS.bid_updates_per_s
    assert codes[-1] == 429
    stream.close()
    until(lambda: far.live == 0)
    probe.eventually(lambda: probe.post(skynet=FAR | {"conv_id": "busy"}).status_code == 200)


# -- a file that does not fit --------------------------------------------------------------------


def test_another_vocabulary_keeps_the_server_from_starting(
    tiny: Path, far: ScriptedBidder, tmp_path: Path
) -> None:
    file = campaigns(tmp_path, far.target, far.target, "00" * 32)
    with pytest.raises(SkynetError) as caught, Stack(settings(tmp_path / "state", tiny, file)):
        pass
    assert "vocabulary of 'far'" in str(caught.value)


def test_silence_is_not_an_error(probe: Probe, far: ScriptedBidder) -> None:
    far.script = silent
    receipt = next(
        event["skynet"]["receipt"]
        for event in probe.events(skynet=FAR, max_tokens=4)
        if "receipt" in event.get("skynet", {})
    )
    line = receipt["lines"][1]
    assert (line["tokens_dropped"], line["charge_micros"]) == (4, 0)
