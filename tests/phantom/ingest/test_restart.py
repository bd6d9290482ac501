# SPDX-License-Identifier: Apache-2.0
"""Once, whatever dies: the client asks again, the disk refuses, the gateway starts anew."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from bls.phantom.lines import EVENTS, lines_since
from bls.settlement.spool import Spool
from client.gateway.phantom import record
from client.gateway.phantom.record import LOCK
from tests.phantom.ingest.rig import ITEMS, Shop, event, fault, lines, open_shop, quote
from tests.phantom.ingest.scorer import Scorer

pytestmark = pytest.mark.spec("PH-07")


def test_a_gateway_that_starts_again_knows_its_sessions(scorer: Scorer, tmp_path: Path) -> None:
    acts = [event(), event("add_item", item=ITEMS[3])]
    shown = quote(ITEMS[3])
    driven = {"label": "synthetic", "origin": "goal_planner", "actor": "agent"}
    named = {"name": "alpha_sweep", "condition": "alpha_03"}
    with open_shop(scorer.address, tmp_path) as shop:
        shop.show(shown)
        shop.tell(*acts, experiment=named)
        shop.post("/v1/sessions/s-1/label", driven)
        before = shop.session()
        stats = shop.gateway.state.sessions.book.get("s-1")
        assert stats is not None
    with open_shop(scorer.address, tmp_path) as shop:
        assert {**shop.session(), "heard_ms": 0} == {**before, "heard_ms": 0}
        again = shop.gateway.state.sessions.book.get("s-1")
        assert again is not None
        assert (again.features.stats() == stats.features.stats()).all()
        assert (again.features.transitions() == stats.features.transitions()).all()
        assert shop.tell(*acts).json()["duplicates"] == 2
        assert shop.show(shown).json() == {"accepted": 0, "duplicates": 1}
        assert shop.tell(event()).json()["accepted"] == 1
        assert len([x for x in shop.events() if x["kind"] == "act"]) == 3


def test_requests_at_once_of_one_session_are_taken_in_turn(shop: Shop) -> None:
    batch = [event() for _ in range(5)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.tell(*batch, sid="crowd").json(), range(8)))
    assert sorted(answer["accepted"] for answer in answers) == [0] * 7 + [5]
    ids = [line["event_id"] for line in shop.events() if line["session_id"] == "crowd"]
    assert ids == [told["event_id"] for told in batch]


def test_while_another_process_writes_nothing_is_taken(scorer: Scorer, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with (tmp_path / "logs" / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open_shop(scorer.address, tmp_path) as shop:
            told = event()
            refused = shop.tell(told)
            assert fault(refused) == (503, "sessions_stalled", None)
            assert int(refused.headers["retry-after"]) >= 1
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert shop.tell(told).json()["accepted"] == 1
            assert [line["event_id"] for line in shop.events()] == [told["event_id"]]


def test_a_disk_that_refuses_is_asked_again(
    scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch counts when it is applied; told again it is known, and is written now."""
    real, full = os.write, [False]

    def write(descriptor: int, data: bytes) -> int:
        if full[0] and data.startswith(b'{"v":1'):
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    with open_shop(scorer.address, tmp_path) as shop:
        assert shop.tell(event()).is_success
        told, full[0] = event(), True
        assert fault(shop.tell(told)) == (503, "sessions_stalled", None)
        assert fault(shop.tell(told)) == (503, "sessions_stalled", None)
        full[0] = False
        answer = shop.tell(told).json()
        assert (answer["accepted"], answer["duplicates"]) == (0, 1)
        ids = [line["event_id"] for line in shop.events()]
        assert ids.count(told["event_id"]) == 1 and len(ids) == 2


def test_a_torn_or_erased_line_is_nobodys(scorer: Scorer, tmp_path: Path) -> None:
    with open_shop(scorer.address, tmp_path) as shop:
        shop.tell(event(), sid="whole")
        shop.tell(event(), sid="gone")
    path = tmp_path / "logs" / EVENTS
    whole, gone = path.read_bytes().splitlines()
    erased = b'{"erased":"' + b"0" * 32 + b'","audit":"a"'
    path.write_bytes(whole + b"\n" + erased.ljust(len(gone) - 1) + b"}\n" + b'{"v":1,"ts"')
    with open_shop(scorer.address, tmp_path) as shop:
        assert shop.session("whole")["events"] == 1
        assert shop.http.get("/v1/sessions/gone").status_code == 404
        assert shop.tell(event(), sid="whole").is_success
    rows = path.read_bytes().splitlines()
    assert rows[2] == b'{"v":1,"ts"' and orjson.loads(rows[3])["session_id"] == "whole"


@pytest.mark.parametrize("ts", [None, '"soon"', "true", "[]"])
def test_a_line_without_its_time_stops_nobody(
    scorer: Scorer, tmp_path: Path, caplog: pytest.LogCaptureFixture, ts: str | None
) -> None:
    with open_shop(scorer.address, tmp_path) as shop:
        shop.tell(event(), sid="whole")
    path = tmp_path / "logs" / EVENTS
    told = b'{"v":1,' if ts is None else f'{{"v":1,"ts":{ts},'.encode()
    with path.open("ab") as file:
        file.write(told + b'"session_id":"odd"}\n')
    with open_shop(scorer.address, tmp_path) as shop:
        assert shop.session("whole")["events"] == 1
        assert shop.tell(event(), sid="whole").is_success
    assert f"1 lines of {EVENTS} are unreadable" in caplog.text


def test_any_fault_of_reading_is_tried_again(
    scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("none of ours")

    with open_shop(scorer.address, tmp_path) as shop:
        shop.tell(event())
    monkeypatch.setattr(record, "apply_line", broken)
    with open_shop(scorer.address, tmp_path) as shop:
        assert fault(shop.http.get("/v1/sessions"))[:2] == (503, "sessions_stalled")
        monkeypatch.undo()
        assert shop.session()["events"] == 1


@pytest.mark.parametrize("since", [0, 1, 700, 701, 1_999, 2_000])
def test_only_the_lines_of_the_last_day_are_read(tmp_path: Path, since: int) -> None:
    with (tmp_path / EVENTS).open("wb") as file:
        for second in range(2_000):
            filler = "x" * (second % 700)
            told = {"v": 1, "ts": float(second), "session_id": "s", "filler": filler}
            file.write(orjson.dumps(told) + b"\n")
    found = [line["ts"] for line in lines_since(tmp_path, since)]
    assert found == list(range(since, 2_000))


def test_old_files_are_not_opened(tmp_path: Path) -> None:
    for name, ts in ((f"{EVENTS}.000001", 1.0), (EVENTS, 5.0)):
        (tmp_path / name).write_bytes(orjson.dumps({"v": 1, "ts": ts, "session_id": "s"}) + b"\n")
    os.utime(tmp_path / f"{EVENTS}.000001", (2.0, 2.0))
    assert [line["ts"] for line in lines_since(tmp_path, 3.0)] == [5.0]


def test_a_spool_keeps_the_order_of_its_lines(tmp_path: Path) -> None:
    spool = Spool(tmp_path, (EVENTS,), LOCK)

    async def fill() -> None:
        await asyncio.gather(*(one(number) for number in range(50)))

    async def one(number: int) -> None:
        spool.add([(EVENTS, orjson.dumps({"n": number}))])
        await spool.commit()

    asyncio.run(fill())
    spool.close()
    rows = (tmp_path / EVENTS).read_bytes().splitlines()
    assert [orjson.loads(row)["n"] for row in rows] == list(range(50))


def test_idle_sessions_of_before_are_not_live_again(scorer: Scorer, tmp_path: Path) -> None:
    with open_shop(scorer.address, tmp_path) as shop:
        told = event()
        shop.tell(told)
    path = tmp_path / "logs" / EVENTS
    line = orjson.loads(path.read_bytes())
    old = f'"ts":{time.time() - 7_200:.6f}'.encode()
    path.write_bytes(path.read_bytes().replace(f'"ts":{line["ts"]}'.encode(), old))
    with open_shop(scorer.address, tmp_path) as shop:
        assert shop.http.get("/v1/sessions/s-1").status_code == 404
        assert shop.tell(told).json()["duplicates"] == 1
    assert len(lines(tmp_path, EVENTS)) == 1
