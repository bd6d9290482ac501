# SPDX-License-Identifier: Apache-2.0
"""Made sessions on their way to a gateway: labelled first, in the gateway's sizes, now."""

import time
from typing import Any

import httpx
import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.phantom.session import Quote, Session, SessionEvent
from client.replies import ReplyError
from pipelines_dagster.phantom.traffic.post import Poster

EVENTS = tuple(SessionEvent("hover_title", "h01", 1_000 + at, 300) for at in range(150))
QUOTES = tuple(Quote("h01", 5, 1_000 + at) for at in range(200))
SESSION = Session(
    "s1",
    "hotel",
    1_000,
    (SessionEvent("page_view", "", 1_000), *EVENTS),
    QUOTES,
    label="synthetic",
    origin="stealthy",
    actor="agent",
)


class Gateway:
    """Refuses with the faults given, then takes everything."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = [*faults]
        self.taken: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append((path, body))
        return {}


def refusal(status: int) -> ReplyError:
    return ReplyError({"code": "no", "message": "No."}, status)


@pytest.mark.spec("PH-01", "PH-07")
def test_label_then_events_then_prices() -> None:
    gateway = Gateway()
    poster = Poster("http://x", gateway)
    poster.send(SESSION)
    (path, label), *rest = gateway.taken
    assert path == "/v1/sessions/s1/label"
    assert label == {"label": "synthetic", "origin": "stealthy", "actor": "agent", "mode": "hotel"}
    events = [one for path, body in rest if path == "/v1/events" for one in body["events"]]
    quotes = [one for path, body in rest if path == "/v1/prices" for one in body["quotes"]]
    assert [path for path, _ in rest] == ["/v1/events"] * 3 + ["/v1/prices"] * 2
    assert len({one["event_id"] for one in events}) == poster.events == 151
    assert len({one["quote_id"] for one in quotes}) == poster.quotes == 200
    assert all(len(body.get("events", ())) <= LIMITS.events_per_request for _, body in rest)
    assert events[0].keys() == {"event_id", "action", "ts_ms"}
    assert events[1] | {"ts_ms": 0} == {
        "event_id": "s1:e1", "action": "hover_title", "item": "h01", "dwell_ms": 300, "ts_ms": 0
    }  # fmt: skip


def test_the_clock_is_moved_to_now() -> None:
    gateway = Gateway()
    Poster("http://x", gateway).send(SESSION)
    times = [one["ts_ms"] for _, body in gateway.taken for one in body.get("events", ())]
    assert times[-1] - times[0] == 149
    assert abs(times[0] - 1_000 * time.time()) < 60_000


def test_told_by_the_shop_already() -> None:
    gateway = Gateway()
    Poster("http://x", gateway, label_only=True).send(SESSION)
    assert [path for path, _ in gateway.taken] == ["/v1/sessions/s1/label"]


@pytest.mark.parametrize("fault", [refusal(429), refusal(503), httpx.ConnectError("gone")])
def test_tried_again(fault: Exception) -> None:
    gateway = Gateway(fault, fault)
    Poster("http://x", gateway, pause_s=0.0).send(SESSION)
    assert len(gateway.taken) == 6


def test_given_up() -> None:
    for fault, code in ((refusal(429), "no"), (httpx.ConnectError("gone"), "gateway_away")):
        with pytest.raises(SkynetError) as caught:
            Poster("http://x", Gateway(*[fault] * 9), pause_s=0.0).send(SESSION)
        assert caught.value.code == code


def test_refused_for_good() -> None:
    gateway = Gateway(refusal(422))
    with pytest.raises(SkynetError) as caught:
        Poster("http://x", gateway, pause_s=0.0).send(SESSION)
    assert (caught.value.code, caught.value.status) == ("no", 422)
    assert not gateway.taken
