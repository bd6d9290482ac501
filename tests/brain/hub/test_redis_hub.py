# SPDX-License-Identifier: Apache-2.0
"""The copy in a real Redis: written behind, taken over by another server, never waited for."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bls.brain.hub import codec
from bls.brain.hub.feature_hub import FeatureHub
from bls.brain.hub.load import load_hub
from bls.brain.hub.redis_client import connect
from bls.brain.hub.redis_line import PREFIX
from bls.brain.hub.stats import HubStats
from bls.brain.hub.window import Window
from bls.contracts import CTX
from bls.errors import SkynetError
from bls.limits import LIMITS, Limits
from tests.brain.hub.redis_server import Group, RedisServer, needs_redis, plain

CONTEXT = np.full(CTX, 1 / math.sqrt(CTX), np.float32)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = plain(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture
def made() -> Iterator[Callable[..., tuple[FeatureHub, HubStats]]]:
    """Makes hubs on a URL and stops them."""
    hubs: list[FeatureHub] = []

    def make(url: str, limits: Limits = LIMITS) -> tuple[FeatureHub, HubStats]:
        stats = HubStats()
        hubs.append(load_hub(url, stats, limits=limits))
        return hubs[-1], stats

    yield make
    for hub in hubs:
        hub.stop()


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    stop = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < stop
        time.sleep(0.01)


def next_token(server: RedisServer, conv_id: str) -> int:
    text = server.client.get(PREFIX + conv_id)
    return -1 if text is None else codec.decode(text).next_token


def closed_port() -> str:
    return "redis://127.0.0.1:1/0"


@needs_redis
def test_another_server_goes_on_with_the_conversation(redis: RedisServer, made: Callable) -> None:
    first, _ = made(redis.url)
    second, stats = made(redis.url)
    until(lambda: stats.redis_up)
    first.open("taken", CONTEXT, {"acme": 1.0, "bolt": 2.0})
    for token in range(20):
        first.push("taken", token, {"acme": 1.5 + token, "bolt": 0.3})
    until(lambda: next_token(redis, "taken") == 20)
    wanted = first.features("taken", ["bolt", "acme"])
    np.testing.assert_array_equal(second.features("taken", ["bolt", "acme"]), wanted)
    np.testing.assert_array_equal(second.context("taken"), CONTEXT)
    second.push("taken", 20, {"acme": 7.0, "bolt": 7.0})
    assert stats.redis_takeovers == 1
    until(lambda: next_token(redis, "taken") == 21)


@needs_redis
def test_stopping_writes_what_waits(redis: RedisServer) -> None:
    hub = load_hub(redis.url, HubStats())
    hub.open("last", CONTEXT, {"acme": 1.0})
    hub.stop()
    assert next_token(redis, "last") == 0


@needs_redis
def test_a_closed_conversation_leaves_redis(redis: RedisServer, made: Callable) -> None:
    hub, _ = made(redis.url)
    hub.open("closing", CONTEXT, {"acme": 1.0})
    until(lambda: redis.client.exists(PREFIX + "closing"))
    hub.close("closing")
    until(lambda: not redis.client.exists(PREFIX + "closing"))


@needs_redis
@pytest.mark.spec("CBP-U-08")
def test_redis_lets_a_window_go_after_its_time(redis: RedisServer, made: Callable) -> None:
    """The key has its time to live from its first write; the server removes it and says so."""
    hub, stats = made(redis.url, Limits(hub_ttl_s=0.5))
    redis.client.config_set("notify-keyspace-events", "Ex")
    with redis.client.pubsub() as events:
        events.subscribe("__keyevent@0__:expired")
        hub.open("brief", CONTEXT, {"acme": 1.0})
        until(lambda: redis.client.exists(PREFIX + "brief"))
        assert 0 < redis.client.pttl(PREFIX + "brief") <= 500
        expired: list[object] = []
        until(lambda: (expired.append(events.get_message()), len([e for e in expired if e]) > 1)[1])
    assert any(event and event["data"] == f"{PREFIX}brief".encode() for event in expired)
    with pytest.raises(SkynetError) as caught:
        hub.features("brief", ["acme"])
    assert caught.value.code == "unknown_conversation_window"
    assert stats.ttl_evictions == 1
    assert LIMITS.hub_ttl_s == 60


@needs_redis
@pytest.mark.parametrize(
    "text", [b"\x80\x04pickle", b"[]", b"{}", b'{"version":1,"next_token":-1,"past":{}}']
)
def test_what_makes_no_sense_in_redis_is_not_used(
    redis: RedisServer, made: Callable, text: bytes
) -> None:
    hub, stats = made(redis.url)
    redis.client.set(PREFIX + "odd", text)
    with pytest.raises(SkynetError) as caught:
        hub.features("odd", ["acme"])
    assert caught.value.code == "unknown_conversation_window"
    assert stats.redis_bad_values == 1


def test_without_redis_everything_else_works_at_once(made: Callable) -> None:
    hub, stats = made(closed_port())
    hub.open("c", CONTEXT, {"acme": 1.0})
    until(lambda: stats.redis_outages == 1)
    began = time.perf_counter()
    for token in range(500):
        hub.push("c", token, {"acme": 2.0})
        hub.features("c", ["acme"])
        with pytest.raises(SkynetError):
            hub.features("unknown", ["acme"])
    assert (time.perf_counter() - began) / 500 < LIMITS.hub_read_s
    assert stats.redis_pending == 1 and stats.redis_up == 0


def test_what_waits_for_redis_is_bounded(made: Callable) -> None:
    hub, stats = made(closed_port(), Limits(hub_conversations=4))
    for number in range(10):
        hub.open(str(number), CONTEXT, {"acme": 1.0})
    until(lambda: stats.redis_pending == 4)
    assert stats.redis_dropped + stats.overflows >= 6


@needs_redis
def test_an_outage_delays_writes_and_loses_none(tmp_path: Path, made: Callable) -> None:
    server = plain(tmp_path)
    hub, stats = made(server.url)
    hub.open("c", CONTEXT, {"acme": 1.0})
    until(lambda: next_token(server, "c") == 0)
    server.kill()
    for token in range(30):
        hub.push("c", token, {"acme": 2.0})
    until(lambda: stats.redis_up == 0)
    back = plain(tmp_path, server.port)
    try:
        until(lambda: next_token(back, "c") == 30)
        assert stats.redis_outages == 1 and stats.redis_failover_ms > 0
        until(lambda: stats.redis_up == 1)
    finally:
        back.kill()


@needs_redis
def test_a_redis_that_hangs_holds_up_nobody_for_long(tmp_path: Path, made: Callable) -> None:
    """A stopped process still takes connections: only the wait's own bound ends it."""
    server = plain(tmp_path)
    try:
        hub, stats = made(server.url)
        hub.open("c", CONTEXT, {"acme": 1.0})
        until(lambda: next_token(server, "c") == 0)
        server.process.send_signal(signal.SIGSTOP)
        began = time.perf_counter()
        with pytest.raises(SkynetError):
            hub.features("elsewhere", ["acme"])
        assert time.perf_counter() - began < LIMITS.hub_connect_s
        hub.push("c", 0, {"acme": 2.0})
        assert hub.features("c", ["acme"]).shape == (1, 150)
        until(lambda: stats.redis_up == 0)
        server.process.send_signal(signal.SIGCONT)
        until(lambda: next_token(server, "c") == 1)
    finally:
        server.kill()


@needs_redis
@pytest.mark.spec("CBP-C-07")
def test_the_primary_dies_and_the_replica_takes_over(tmp_path: Path, made: Callable) -> None:
    """Replies read their own copy meanwhile; writes go on at the promoted replica."""
    group = Group(tmp_path)
    try:
        group.wait_until_watched()
        hub, stats = made(group.url)
        hub.open("c", CONTEXT, {"acme": 1.0, "bolt": 1.0})
        token = 0

        def tokens(seconds: float, done: Callable[[], bool]) -> float:
            """Push and predict until `done`; the median time of one such pair."""
            nonlocal token
            took, stop = [], time.monotonic() + seconds
            while not done():
                assert time.monotonic() < stop
                began = time.perf_counter()
                hub.push("c", token, {"acme": 2.0, "bolt": 3.0})
                hub.features("c", ["acme", "bolt"])
                took.append(time.perf_counter() - began)
                token += 1
                time.sleep(0.002)
            return float(np.median(took))

        before = tokens(10, lambda: next_token(group.replica, "c") > 100)
        group.primary.kill()
        during = tokens(15, lambda: stats.redis_failover_ms > 0)
        last = token
        tokens(10, lambda: next_token(group.replica, "c") > last)
        assert group.replica.client.info("replication")["role"] == "master"
        assert during - before < 1e-3
        assert stats.redis_outages >= 1 and stats.redis_up == 1
        other, others = made(group.url)
        until(lambda: others.redis_up)
        assert other.features("c", ["bolt", "acme"]).shape == (2, 150)
        print(
            f"failover {stats.redis_failover_ms:.0f} ms; a token's hub work {before * 1e6:.0f} us"
        )
        print(f"before the kill and {during * 1e6:.0f} us until writes went on")
    finally:
        group.stop()


def test_a_window_comes_back_exactly() -> None:
    rng = np.random.default_rng(3)
    window = Window(rng.normal(size=CTX), ["a", "b"], rng.normal(size=(2, 15)), 7)
    back = codec.decode(codec.encode(window))
    np.testing.assert_array_equal(back.past, window.past)
    np.testing.assert_array_equal(back.ctx_vec, window.ctx_vec)
    assert (back.next_token, list(back.rows)) == (7, ["a", "b"])
    empty = codec.decode(codec.encode(Window.opened(CONTEXT, {})))
    assert empty.past.shape == (0, 15)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"next_token": True},
        {"ctx_vec": "AAAA"},
        {"ctx_vec": "not base64"},
        {"ctx_vec": None},
        {"past": []},
        {"past": {"acme": [1.0]}},
        {"past": {"acme": [None] * 15}},
        {"past": {"acme": ["1"] * 15}},
    ],
)
def test_a_changed_window_is_refused(change: dict[str, object]) -> None:
    import orjson  # noqa: PLC0415

    raw = orjson.loads(codec.encode(Window.opened(CONTEXT, {"acme": 1.0})))
    with pytest.raises(ValueError):
        codec.decode(orjson.dumps(raw | change))


@pytest.mark.parametrize(
    "url", ["http://secret@host", "sentinel://host", "sentinel:///group", "redis://host:port/0"]
)
def test_a_bad_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SkynetError) as caught:
        connect(url)
    assert caught.value.code == "bad_setting"
    assert "secret" not in caught.value.message


def test_urls_say_everything() -> None:
    client = connect("sentinel://user:pa%40ss@one:1,two/group?db=3")
    pool = client.connection_pool
    assert pool.service_name == "group"
    assert pool.connection_kwargs["password"] == "pa@ss"
    assert (pool.connection_kwargs["username"], pool.connection_kwargs["db"]) == ("user", 3)
    hosts = [s.connection_pool.connection_kwargs for s in pool.sentinel_manager.sentinels]
    assert [(host["host"], host["port"]) for host in hosts] == [("one", 1), ("two", 26379)]
    assert connect("rediss://host:7/2").connection_pool.connection_kwargs["db"] == 2
