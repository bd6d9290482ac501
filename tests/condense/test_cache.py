# SPDX-License-Identifier: Apache-2.0
"""Summaries are kept 15 minutes, under keys that say nothing, and can be forgotten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bls.brain.hub.redis_client import connect
from bls.condense.cache import DictCache, Key, key_of, made_by, open_cache, owner_of
from bls.condense.redis_cache import RedisCache
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.policy import rule_file
from export.manifest import MANIFEST_NAME
from tests.brain.clock import Clock
from tests.brain.hub.redis_server import RedisServer, needs_redis, plain


def keys(count: int, salt: int = 1) -> list[Key]:
    return [key_of(salt, (number, 5, 6), "v1") for number in range(count)]


@pytest.mark.spec("CG-U-09")
def test_200_keys_are_gone_after_15_minutes() -> None:
    clock = Clock()
    cache = DictCache(clock=clock)
    old, young = keys(200)[:150], keys(200)[150:]
    cache.put(dict.fromkeys(old, (1, 2)))
    clock.pass_by(LIMITS.summary_cache_s - 1)
    cache.put(dict.fromkeys(young, (3,)))
    assert cache.get(old) == [(1, 2)] * 150
    clock.pass_by(1)
    assert cache.get(old) == [None] * 150 and cache.get(young) == [(3,)] * 50
    assert cache.stats.evictions == 150 and cache.stats.entries == 50
    assert cache.stats.hits == 200 and cache.stats.misses == 150


def test_it_is_bounded() -> None:
    cache = DictCache(replace(LIMITS, summary_cache=10))
    cache.put(dict.fromkeys(keys(25), (1,)))
    assert cache.get(keys(25)) == [None] * 15 + [(1,)] * 10
    assert cache.stats.evictions == 15


def test_a_key_is_of_its_salt_window_and_summariser() -> None:
    one = key_of(1, (1, 2, 3), "v1")
    assert one == key_of(1, (1, 2, 3), "v1")
    others = [key_of(2, (1, 2, 3), "v1"), key_of(1, (1, 2), "v1"), key_of(1, (1, 2, 3), "v2")]
    assert len({one, *others}) == 4
    assert one.owner == owner_of(1) and one.window != others[0].window


def test_summaries_of_other_rules_are_not_taken(tmp_path: Path) -> None:
    """Neither of a new summariser, nor of new rules of ours or the operator's."""
    (tmp_path / MANIFEST_NAME).write_text("{}")
    rules = tmp_path / "rules.toml"
    names = [made_by(tmp_path)]
    for text in ("[rivals]\nterms = ['acme']\n", "[rivals]\nterms = ['globex']\n"):
        rules.write_text(text)
        names.append(made_by(tmp_path, policy_rules=str(rules)))
        assert names[-1] == made_by(tmp_path, policy_rules=str(rules))
    names.append(made_by(tmp_path, policy_model=str(tmp_path)))
    (tmp_path / MANIFEST_NAME).write_text("{ }")
    names.append(made_by(tmp_path))
    assert len(set(names)) == 5
    assert len({key_of(1, (1, 2, 3), name) for name in names}) == 5
    with pytest.raises(SkynetError) as caught:
        made_by(tmp_path, policy_rules=str(tmp_path / "none.toml"))
    assert caught.value.code == "bad_policy_rules"


def test_built_in_rules_name_summaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / MANIFEST_NAME).write_text("{}")
    before = made_by(tmp_path)
    (tmp_path / "terms.toml").write_text("[rivals]\nterms = ['acme']\n")
    monkeypatch.setattr(rule_file, "BUILT_IN", tmp_path / "terms.toml")
    assert made_by(tmp_path) != before


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = plain(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@needs_redis
def test_another_server_finds_them(redis: RedisServer) -> None:
    here, there = open_cache(redis.url), open_cache(redis.url)
    here.put(dict.fromkeys(keys(4, salt=11), (7, 8, 9)))
    assert there.get(keys(5, salt=11)) == [(7, 8, 9)] * 4 + [None]
    assert there.stats.hits == 4 and there.stats.misses == 1
    stored = redis.client.get(f"skynet:condense:{':'.join(keys(1, salt=11)[0])}")
    assert stored is not None


@needs_redis
@pytest.mark.spec("CG-U-09")
def test_redis_drops_them_by_itself(redis: RedisServer) -> None:
    limits = replace(LIMITS, summary_cache_s=0.3)
    cache = RedisCache(connect(redis.url), limits)
    cache.put(dict.fromkeys(keys(200, salt=12), (1,)))
    names = f"skynet:condense:{owner_of(12)}:*"
    assert len(list(redis.client.scan_iter(names))) == 200
    stop = time.monotonic() + 10
    while list(redis.client.scan_iter(names)):
        assert time.monotonic() < stop
        time.sleep(0.05)
    assert open_cache(redis.url).get(keys(3, salt=12)) == [None] * 3


@needs_redis
def test_a_value_of_somebody_else_counts_as_absent(redis: RedisServer) -> None:
    (key,) = keys(1, salt=15)
    for value in (b"abc", b"x" * 4 * 33):
        redis.client.set(f"skynet:condense:{key.owner}:{key.window}", value)
        assert open_cache(redis.url).get([key]) == [None]


def test_a_redis_that_is_away_costs_one_try() -> None:
    cache = open_cache("redis://127.0.0.1:1/0")
    cache.put(dict.fromkeys(keys(2), (1,)))
    assert cache.get(keys(3)) == [(1,), (1,), None]
    assert cache.stats.errors == 1, "asked again at once"
