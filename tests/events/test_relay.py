# SPDX-License-Identifier: Apache-2.0
"""The relay against the real bundled broker: order, nothing lost, whatever is killed."""

from __future__ import annotations

import itertools
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bls import jsonlog
from bls.events.relay import __main__ as command
from bls.events.relay.checkpoint import source_id
from bls.events.relay.relay import DEAD_LETTERS, Relay, known_topics
from bls.events.relay.slices import Slicer
from bls.jsonlog import JsonLog
from tests.events.spool import CLICKS, REFUSED, LiveRelay, RelayProcess, Spool, behind, checkpoint
from tests.events.tansu import TestBroker, eventually, taken_once

Events = list[dict[str, Any]]


@pytest.fixture(scope="module")
def shared() -> Iterator[TestBroker]:
    """A broker for tests that leave it up; a source of its own keeps them apart."""
    with TestBroker() as broker:
        yield broker


@pytest.fixture
def broker() -> Iterator[TestBroker]:
    with TestBroker() as broker:
        yield broker


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "logs")
    yield spool
    spool.close()


def of(spool: Spool, broker: TestBroker, topic: str) -> Events:
    """What ingest would keep of this spool."""
    source = source_id(spool.folder)
    return [e for e in taken_once(broker.messages(topic)) if e["source"] == source]


def homes(spool: Spool, messages: list[tuple[int, dict[str, Any]]]) -> set[tuple[str, int]]:
    """(conversation, partition) of this spool's events."""
    source = source_id(spool.folder)
    return {(event["conv_id"], at) for at, event in messages if event["source"] == source}


def all_there(spool: Spool, broker: TestBroker) -> None:
    """Every line once; each conversation in order, in one partition."""
    for topic in (CLICKS, REFUSED):
        messages = broker.messages(topic)
        source = source_id(spool.folder)
        events = [event for event in taken_once(messages) if event["source"] == source]
        number = "dwell_ms" if topic == CLICKS else "token_idx"
        assert sorted(event[number] for event in events) == list(range(spool.made))
        assert len({event["event_id"] for event in events}) == spool.made
        for conv in {event["conv_id"] for event in events}:
            told = [event[number] for event in events if event["conv_id"] == conv]
            assert told == sorted(told)
        found = homes(spool, messages)
        assert len(found) == len({conv for conv, _ in found})


def test_lines_arrive_in_order_across_sealed_files(spool: Spool, shared: TestBroker) -> None:
    spool.write(100)
    with LiveRelay(spool.options(shared.address)) as live:
        for _ in range(20):
            spool.write(10)
            time.sleep(0.01)
        eventually(lambda: sum(live.stats.sent.values()) == 2 * spool.made)
    assert len(list(spool.folder.glob(f"{CLICKS}.0*"))) > 5
    all_there(spool, shared)
    assert not live.stats.dead_letters and live.stats.lag_bytes == {CLICKS: 0, REFUSED: 0}


@pytest.mark.spec("ORC-C-01")
def test_kills_lose_nothing_and_repeat_nothing(spool: Spool, broker: TestBroker) -> None:
    """Five times SIGKILL while lines are written, at random points; in the end all is there."""
    chance, done = random.Random(11), threading.Event()

    def write() -> None:
        while not done.is_set():
            spool.write(chance.randrange(1, 12))
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            seen = behind(spool.folder)
            relay = RelayProcess(spool.folder, broker.address)
            eventually(lambda seen=seen: behind(spool.folder) > seen)
            time.sleep(chance.uniform(0, 0.4))
            assert relay.end(signal.SIGKILL) == -signal.SIGKILL
    finally:
        done.set()
        writer.join()
    relay = RelayProcess(spool.folder, broker.address)
    eventually(lambda: behind(spool.folder) == 2 * spool.made, 30)
    assert relay.end(signal.SIGTERM) == 0
    all_there(spool, broker)
    print(f"{spool.made} clicks, the relay killed 5 times: each is there once")


def test_sigterm_sends_what_is_on_disk(spool: Spool, shared: TestBroker) -> None:
    relay = RelayProcess(spool.folder, shared.address)
    spool.write(10)
    eventually(lambda: behind(spool.folder) == 20)
    spool.write(500)
    assert relay.end(signal.SIGTERM) == 0
    assert behind(spool.folder) == 2 * spool.made
    all_there(spool, shared)


def test_a_broker_that_comes_back_as_another_cluster(spool: Spool, broker: TestBroker) -> None:
    """It forgot everything; what the lake took already is not sent again."""
    spool.write(300)
    with LiveRelay(spool.options(broker.address)) as live:
        eventually(lambda: sum(live.stats.sent.values()) == 600)
        first = checkpoint(spool.folder).get("cluster")
        events = of(spool, broker, CLICKS)
        taken = sorted(events, key=lambda event: event["seq"])[99]["seq"]
        note = {CLICKS: {source_id(spool.folder): taken}}
        (spool.folder / "ingested.json").write_text(json.dumps(note))
        broker.kill()
        spool.write(100)
        eventually(lambda: not live.stats.connected)
        broker.start()
        eventually(lambda: behind(spool.folder) == 2 * spool.made)
        assert live.stats.restarts == 1
    assert checkpoint(spool.folder)["cluster"] != first
    again = {event["dwell_ms"] for event in of(spool, broker, CLICKS)}
    assert again == set(range(100, 400))
    assert len(of(spool, broker, REFUSED)) == 400


def test_a_lake_that_is_ahead_of_the_acknowledgements_skips_nothing(
    spool: Spool, broker: TestBroker
) -> None:
    """Whatever `ingested.json` says, nothing is skipped that was not acknowledged."""
    spool.write(5)
    with LiveRelay(spool.options(broker.address)):
        eventually(lambda: behind(spool.folder) == 10)
    spool.write(5)
    note = {topic: {source_id(spool.folder): 1 << 60} for topic in (CLICKS, REFUSED)}
    (spool.folder / "ingested.json").write_text(json.dumps(note))
    broker.kill()
    broker.start()
    with LiveRelay(spool.options(broker.address)):
        eventually(lambda: behind(spool.folder) == 20)
    assert {event["dwell_ms"] for event in of(spool, broker, CLICKS)} == set(range(5, 10))


def test_a_broker_that_is_not_there_yet(spool: Spool) -> None:
    broker = TestBroker()
    spool.write(50)
    with LiveRelay(spool.options(broker.address)) as live:
        eventually(lambda: sum(live.stats.errors.values()) >= 2, 30)
        assert not live.stats.connected and live.stats.lag_bytes[CLICKS] > 0
        with broker:
            eventually(lambda: behind(spool.folder) == 100, 30)
            all_there(spool, broker)


def test_told_to_end_while_kafka_is_away(spool: Spool) -> None:
    spool.write(50)
    with LiveRelay(spool.options("127.0.0.1:1")) as live:
        eventually(lambda: bool(live.stats.errors), 30)
    assert behind(spool.folder) == 0


def test_a_line_that_is_no_event_is_put_aside(spool: Spool, shared: TestBroker) -> None:
    spool.write(3)
    bad = [b"no json", b'{"v":1}', b'{"v":1,"ts":1', b"\xff\xfe"]
    with (spool.folder / REFUSED).open("ab") as file:
        file.write(b"\n".join(bad) + b"\n")
    spool.write(3)
    with LiveRelay(spool.options(shared.address)) as live:
        eventually(lambda: live.stats.sent[REFUSED] == 6)
    assert live.stats.dead_letters == {REFUSED: 4}
    letters = [json.loads(x) for x in (spool.folder / DEAD_LETTERS).read_text().splitlines()]
    assert [letter["line"].encode() for letter in letters[:3]] == bad[:3]
    assert {(letter["topic"], letter["code"]) for letter in letters} == {(REFUSED, "bad_event")}
    assert all(letter["segment"] == 1 and letter["end"] > 0 for letter in letters)
    all_there(spool, shared)


def test_an_event_no_broker_would_take_is_put_aside(spool: Spool, shared: TestBroker) -> None:
    large = spool.refused(7) | {"reason": "x" * 950_000}
    (spool.folder / REFUSED).open("ab").write(json.dumps(large).encode() + b"\n")
    spool.write(1)
    with LiveRelay(spool.options(shared.address)) as live:
        eventually(lambda: live.stats.sent[REFUSED] == 1)
    letters = (spool.folder / DEAD_LETTERS).read_text().splitlines()
    assert [json.loads(letter)["code"] for letter in letters] == ["bad_event"] * 3, "in pieces"


def test_what_is_sent_was_synced_first(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, made = [], []
    monkeypatch.setattr("bls.events.relay.tail.os.fdatasync", synced.append)
    monkeypatch.setattr(Slicer, "add", lambda *_: made.append(len(synced)))
    relay = Relay(spool.options("127.0.0.1:1"))
    relay._broker.partitions = dict.fromkeys((CLICKS, REFUSED), 4)
    spool.write(3)
    assert relay._gather() is not None and relay._gather() is None
    assert made == [1, 2] and len(synced) == 2
    relay.close()


def test_a_debug_stream_that_outruns_the_relay_drops_and_counts(
    tmp_path: Path, shared: TestBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlog, "_MAX_BYTES", 2_000)
    spool = Spool(tmp_path / "logs")
    log = JsonLog(spool.folder, 10_000)
    for number in range(500):
        log.write_many([(REFUSED, spool.refused(number))])
    log.close()
    with LiveRelay(spool.options(shared.address)) as live:
        eventually(lambda: live.stats.lag_bytes.get(REFUSED) == 0 and live.stats.sent[REFUSED] > 0)
    assert 0 < live.stats.sent[REFUSED] < 500
    assert live.stats.sent[REFUSED] + live.stats.dropped[REFUSED] == 500
    spool.close()


def test_a_checkpoint_that_cannot_be_read_begins_anew(spool: Spool, shared: TestBroker) -> None:
    spool.write(20)
    options = spool.options(shared.address)
    (spool.folder / f"{options.name}.json").write_text('{"cluster": "x", "str')
    with LiveRelay(options):
        eventually(lambda: behind(spool.folder) == 40)
    all_there(spool, shared)


def test_figures_are_in_the_log_folder(spool: Spool, shared: TestBroker) -> None:
    spool.write(5)
    options = spool.options(shared.address)
    with LiveRelay(options):
        eventually(lambda: behind(spool.folder) == 10)
    text = (spool.folder / f"{options.name}.prom").read_text()
    series = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert series[f'orch_events_sent_total{{topic="{CLICKS}"}}'] == "5"
    assert series[f'orch_events_lag_records{{topic="{CLICKS}"}}'] == "0"
    assert series["orch_events_connected"] == "1" and series["orch_events_restarts_total"] == "0"


def test_a_second_relay_is_refused(
    spool: Spool,
    shared: TestBroker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = RelayProcess(spool.folder, shared.address)
    spool.write(1)
    eventually(lambda: behind(spool.folder) == 2)
    monkeypatch.setattr(command, "_LOCK_WAIT_S", 0.1)
    words = ["--logs", str(spool.folder), "--kafka", shared.address, "--topics"]
    assert command.main([*words, f"{CLICKS},{REFUSED}"]) == 1
    assert "another relay" in capsys.readouterr().err
    assert first.end(signal.SIGTERM) == 0
    with pytest.raises(SystemExit) as caught:
        command.main([*words, "no.topic"])
    assert caught.value.code == 2 and "no.topic is not a topic" in capsys.readouterr().err


def test_topics_have_names() -> None:
    assert known_topics([REFUSED, CLICKS]) == (CLICKS, REFUSED)
    with pytest.raises(ValueError, match="other is not a topic"):
        known_topics([CLICKS, "other"])


def test_a_folder_keeps_its_source(tmp_path: Path) -> None:
    ids = [source_id(tmp_path) for _ in itertools.repeat(None, 3)]
    assert len(set(ids)) == 1 and len(ids[0]) == 16
    assert [path.name for path in tmp_path.iterdir()] == ["source.id"]
