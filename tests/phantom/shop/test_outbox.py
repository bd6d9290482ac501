# SPDX-License-Identifier: Apache-2.0
"""Records on their way: bounded, in order, with the same ids however often they are sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bls.limits import LIMITS
from client.storefront.gateway import Fault, Sent
from client.storefront.outbox import Outbox
from tests.phantom.shop.conftest import fast

pytestmark = pytest.mark.spec("PH-05")


class Receiver:
    """Answers from a list, then DONE for ever."""

    def __init__(self, *answers: Sent | Fault) -> None:
        self.answers = list(answers)
        self.got: list[tuple[str, dict[str, Any], str]] = []

    async def __call__(self, path: str, body: dict[str, Any], user_agent: str) -> Sent | Fault:
        self.got.append((path, body, user_agent))
        return self.answers.pop(0) if self.answers else Sent.DONE

    def ids(self) -> list[str]:
        return [entry["event_id"] for _, body, _ in self.got for entry in body.get("events", ())]


def run(receiver: Receiver, use: Callable[[Outbox], Awaitable[None]], **more: object) -> Outbox:
    """`use` beside a running outbox, then drain it."""

    async def main() -> Outbox:
        outbox = Outbox(fast("http://127.0.0.1:9", **more), receiver)
        task = asyncio.create_task(outbox.run())
        await use(outbox)
        await outbox.drain()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return outbox

    return asyncio.run(main())


def event(name: str) -> dict[str, Any]:
    return {"event_id": name, "action": "page_view", "ts_ms": 1}


async def three(outbox: Outbox) -> None:
    for name in "abc":
        outbox.put("events", "s1", "agent one", event(name))
    outbox.put("prices", "s1", "agent one", {"quote_id": "q"})
    outbox.put("events", "s2", "agent two", event("d"))


def test_entries_of_a_session_travel_together() -> None:
    receiver = Receiver()
    outbox = run(receiver, three)
    assert [(path, body["session_id"], agent) for path, body, agent in receiver.got] == [
        ("/v1/events", "s1", "agent one"),
        ("/v1/prices", "s1", "agent one"),
        ("/v1/events", "s2", "agent two"),
    ]
    assert receiver.got[0][1] == {
        "session_id": "s1",
        "mode": "hotel",
        "events": [event("a"), event("b"), event("c")],
    }
    assert (outbox.sent, outbox.waiting, outbox.dropped) == (5, 0, 0)


def test_a_failure_is_tried_again_with_the_same_ids() -> None:
    receiver = Receiver(Sent.LATER, Sent.LATER)
    outbox = run(receiver, three)
    assert sorted(set(receiver.ids())) == list("abcd") and outbox.waiting == 0
    last = receiver.got[-1][1]
    assert outbox.sent == 5 and last["session_id"] in ("s1", "s2")


def test_what_is_refused_is_not_sent_for_ever() -> None:
    outbox = run(Receiver(Sent.REFUSED), three)
    assert (outbox.sent, outbox.dropped, outbox.waiting) == (2, 3, 0)


def test_a_long_session_is_sent_in_parts_in_order() -> None:
    names = [f"e{number}" for number in range(LIMITS.events_per_request + 6)]
    receiver = Receiver()

    async def many(outbox: Outbox) -> None:
        for name in names:
            outbox.put("events", "s1", "", event(name))

    run(receiver, many)
    assert receiver.ids() == names
    assert [len(body["events"]) for _, body, _ in receiver.got] == [LIMITS.events_per_request, 6]


def test_a_full_queue_drops_the_newest_and_counts_it() -> None:
    taken: list[bool] = []

    async def five(outbox: Outbox) -> None:
        taken.extend(outbox.put("events", "s1", "", event(name)) for name in "abcde")

    receiver = Receiver(*[Sent.LATER] * 1_000)
    outbox = run(receiver, five, queue=6)
    assert taken == [True, True, True, False, False]
    assert (outbox.dropped, outbox.waiting) == (2, 3)


def test_a_session_fills_its_own_part_of_the_queue_alone() -> None:
    taken: list[bool] = []

    async def flood(outbox: Outbox) -> None:
        taken.extend(outbox.put("events", "s1", "", event(f"e{n}")) for n in range(5))
        taken.append(outbox.put("prices", "s1", "", {"quote_id": "q"}))
        taken.append(outbox.put("events", "s2", "", event("other")))

    outbox = run(Receiver(*[Sent.LATER] * 1_000), flood, session_queue=3)
    assert taken == [True] * 3 + [False] * 2 + [True] * 2
    assert (outbox.dropped, outbox.waiting) == (2, 5)


def test_many_that_flood_leave_room_for_another() -> None:
    taken: list[bool] = []

    async def flood(outbox: Outbox) -> None:
        for number in range(20 * 50):
            outbox.put("events", f"s{number % 20}", "", event(f"e{number}"))
        taken.append(outbox.put("events", "other", "", event("other")))

    outbox = run(Receiver(*[Sent.LATER] * 1_000), flood, queue=400, session_queue=50)
    assert taken == [True] and 150 < outbox.waiting <= 200


def test_sessions_take_turns() -> None:
    most = LIMITS.events_per_request
    receiver = Receiver()

    async def busy(outbox: Outbox) -> None:
        for number in range(3 * most):
            outbox.put("events", "s1", "", event(f"e{number}"))
        outbox.put("events", "s2", "", event("other"))

    run(receiver, busy)
    assert [body["session_id"] for _, body, _ in receiver.got] == ["s1", "s2", "s1", "s1"]


class Strict(Receiver):
    """Has heard enough of one session, the first `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def __call__(self, path: str, body: dict[str, Any], user_agent: str) -> Sent | Fault:
        await super().__call__(path, body, user_agent)
        if body["session_id"] == "s1" and self.times:
            self.times -= 1
            return Sent.BUSY
        return Sent.DONE


def test_a_session_that_told_too_much_waits_alone() -> None:
    receiver, seen = Strict(2), []

    async def both(outbox: Outbox) -> None:
        outbox.put("events", "s1", "", event("a"))
        for name in "bcd":
            outbox.put("events", "s2", "", event(name))
            await asyncio.sleep(0.05)
        seen.extend([outbox.sent, outbox.waiting])

    outbox = run(receiver, both, retry_s=0.3, shutdown_s=5.0)
    assert seen == [3, 1], "nobody waits for s1"
    assert (outbox.sent, outbox.dropped, outbox.waiting) == (4, 0, 0)
    assert receiver.ids().count("a") == 3


def test_a_bad_entry_takes_no_other_with_it() -> None:
    receiver = Receiver(Fault(1))
    outbox = run(receiver, three)
    assert receiver.ids() == [*"abc", *"d", *"ac"]
    assert (outbox.sent, outbox.dropped, outbox.waiting) == (4, 1, 0)


def test_a_fault_of_no_entry_is_a_refusal() -> None:
    outbox = run(Receiver(Fault(3)), three)
    assert (outbox.sent, outbox.dropped, outbox.waiting) == (2, 3, 0)
