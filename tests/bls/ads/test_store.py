# SPDX-License-Identifier: Apache-2.0
"""Campaigns and creatives: versions, tombstones, and a `seq` whose readers miss nothing."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Engine, event, insert, update

from bls.ads.database import write
from bls.ads.funds import FundsCache
from bls.ads.records import CampaignRecord, Checked, Funds, NewCreative, Status
from bls.ads.schema import budgets, flights
from bls.ads.source import AdSource
from bls.ads.store import AdStore
from bls.errors import SkynetError

ALPINE = CampaignRecord(
    "alpine", "alpine", "Alpine", "shoes", 0.5, None, 7, 0, None, 3, Status.ACTIVE
)
VECTOR = np.full(384, 384**-0.5, np.float32)


@pytest.fixture
def store(engine: Engine) -> AdStore:
    store = AdStore(engine)
    store.put_campaign(ALPINE)
    return store


def new(msg_id: str = "m1", text: str = "Sell boots.", **fields: object) -> NewCreative:
    return NewCreative(msg_id, "alpine", text, **fields)  # type: ignore[arg-type]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(SkynetError) as caught:
        call()
    return caught.value.code


def test_it_is_what_the_selection_reads(store: AdStore) -> None:
    source: AdSource = store
    assert [c.campaign_id for c in source.campaigns()] == ["alpine"]


def test_campaigns(store: AdStore) -> None:
    stored = store.campaign("alpine")
    assert stored == dataclasses.replace(ALPINE, seq=1)
    assert store.put_campaign(ALPINE) == stored  # nothing changed
    paused = store.put_campaign(dataclasses.replace(ALPINE, status=Status.PAUSED))
    assert paused.seq == 2 and store.campaigns(1) == [paused] and store.campaigns(2) == []
    assert store.campaigns(advertiser="alpine") == [paused]
    assert store.campaigns(advertiser="harbor") == [] == store.campaigns(limit=0)
    other = dataclasses.replace(ALPINE, advertiser="harbor")
    assert code_of(lambda: store.put_campaign(other)) == "campaign_taken"
    assert store.campaign("nobody") is None


def test_a_text_has_versions(store: AdStore) -> None:
    (first,) = store.put_creatives([new()])
    assert (first.version, first.checked, first.advertiser) == (1, Checked.WAITING, "alpine")
    assert store.to_judge() == [first] and store.not_embedded() == []
    assert store.judge("m1", 1, Checked.OK) and not store.judge("m1", 1, Checked.OK)
    assert [c.msg_id for c in store.not_embedded()] == ["m1"]
    assert store.put_embeddings({("m1", 1): VECTOR, ("m1", 2): VECTOR, ("m9", 1): VECTOR}) == 1
    (same,) = store.put_creatives([new()])
    assert (same.version, same.checked) == (1, Checked.OK)
    assert same.embedding == VECTOR.astype("<f2").tobytes() and store.not_embedded() == []
    (other,) = store.put_creatives([new(text="Sell skis.")])
    assert (other.version, other.checked, other.embedding) == (2, Checked.WAITING, None)
    assert other.seq > same.seq > first.seq
    assert not store.judge("m1", 1, Checked.OK) and store.put_embeddings({("m1", 1): VECTOR}) == 0
    assert store.judge("m1", 2, Checked.BLOCKED, "pressure") and store.not_embedded() == []
    assert store.creative("m1") == store.creatives(other.seq)[0]


def test_a_verdict_that_comes_with_the_text(store: AdStore) -> None:
    (first,) = store.put_creatives([new(checked=Checked.OK)])
    assert first.checked is Checked.OK
    (same,) = store.put_creatives([new()])  # nobody was asked this time
    assert same == first
    (blocked,) = store.put_creatives([new(checked=Checked.BLOCKED, reason="hate")])
    assert (blocked.version, blocked.checked, blocked.reason) == (1, Checked.BLOCKED, "hate")


def test_all_or_none(store: AdStore) -> None:
    bad = NewCreative("m2", "nobody", "x")
    assert code_of(lambda: store.put_creatives([new(), bad])) == "unknown_campaign"
    assert code_of(lambda: store.put_creatives([new(), new()])) == "duplicate_msg_id"
    for text in ("", "  ", "x" * 2_001, "a\0b", "\ud800"):
        assert code_of(lambda text=text: store.put_creatives([new("m2"), new(text=text)])) == (
            "bad_text"
        )
    assert store.creatives() == [] and store.campaigns(1) == []
    assert store.put_creatives([]) == []


def test_a_deleted_name_is_never_used_again(store: AdStore) -> None:
    store.put_creatives([new(checked=Checked.OK), new("m2")])
    store.put_embeddings({("m1", 1): VECTOR})
    last = store.creatives()[-1].seq
    assert store.delete_creative("m1") and not store.delete_creative("m1")
    assert not store.delete_creative("m9")
    (dead,) = store.creatives(last)
    assert (dead.deleted, dead.text, dead.embedding) == (True, "", None)
    assert code_of(lambda: store.put_creatives([new()])) == "msg_deleted"
    assert (
        not store.judge("m1", 1, Checked.BLOCKED) and store.put_embeddings({("m1", 1): VECTOR}) == 0
    )
    assert [c.msg_id for c in store.creatives_of("alpine")] == ["m2"]
    assert store.not_embedded() == []


def test_a_name_of_somebody_else(store: AdStore) -> None:
    harbor = dataclasses.replace(ALPINE, campaign_id="h", advertiser="harbor")
    store.put_campaign(harbor)
    store.put_creatives([new()])
    theirs = NewCreative("m1", "h", "x")
    assert code_of(lambda: store.put_creatives([theirs])) == "msg_taken"


def test_embeddings_are_checked(store: AdStore) -> None:
    store.put_creatives([new(checked=Checked.OK)])
    for vector in (VECTOR[:10], VECTOR * 2, VECTOR * np.nan):
        made = {("m1", 1): vector}
        assert code_of(lambda made=made: store.put_embeddings(made)) == "bad_embedding"


def test_pages(store: AdStore) -> None:
    store.put_creatives([new(f"m{n}") for n in range(700)])
    seen, after = [], 0
    while page := store.creatives(after, 256):
        seen += [c.msg_id for c in page]
        after = page[-1].seq
    assert seen == [f"m{n}" for n in range(700)]
    assert store.judge_all([(f"m{n}", 1, Checked.OK, "") for n in range(700)]) == 700


def test_a_reader_misses_nothing(store: AdStore) -> None:
    """Writers commit in the order of their `seq`: what is read later was not below it before."""
    writers = 4
    done = threading.Event()
    seen: list[int] = []

    def writing(number: int) -> None:
        for turn in range(15):
            store.put_creatives([new(f"m{number}.{turn}"), new(f"n{number}.{turn}")])

    def reading() -> None:
        after = 0
        while True:
            ended = done.is_set()
            page = store.creatives(after)
            seen.extend(c.seq for c in page)
            after = page[-1].seq if page else after
            if ended and not page:
                return

    threads = [threading.Thread(target=writing, args=(n,)) for n in range(writers)]
    reader = threading.Thread(target=reading)
    reader.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert seen == sorted(set(seen)) and len(seen) == writers * 30
    assert seen == [c.seq for c in store.creatives()]


@pytest.mark.spec("MRO-C-04")
def test_a_thousand_questions_are_one_statement(engine: Engine) -> None:
    """1,000 within 10 s, then the cache has expired."""
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda c, k, s, *rest: statements.append(s))
    seconds = 0.0
    store = AdStore(engine, clock=lambda: seconds)
    for number in range(1_000):
        seconds = number / 100
        assert store.funds(["alpine"], 1_000 + seconds)["alpine"] == Funds(None, None)
    assert len([s for s in statements if "SELECT" in s]) == 1
    seconds = 60.5
    store.funds(["alpine"], 1_060)
    assert len([s for s in statements if "SELECT" in s]) == 2


def test_funds(engine: Engine) -> None:
    """A flight, a day's budget that nobody has begun, no money, no budget; never past an end."""
    flight = {"start_ts": 100, "end_ts": 200, "budget_micros": 50, "spent": 10, "reserved": 5}

    def fill(connection: object) -> None:
        run = connection.execute  # type: ignore[attr-defined]
        for name, daily in (("alpine", None), ("daily", 70), ("over", None)):
            run(insert(budgets).values(advertiser=name, daily_micros=daily))
        run(insert(flights).values(advertiser="alpine", **flight))

    write(engine, fill)
    store = AdStore(engine)
    assert store.funds(["alpine", "daily", "over", "free"], 150) == {
        "alpine": Funds(35, 200),
        "daily": Funds(70, 86_400),
        "over": Funds(0, None),
        "free": Funds(None, None),
    }
    write(engine, lambda c: c.execute(update(flights).values(spent=45)))
    assert store.funds(["alpine"], 151)["alpine"].left_micros == 35
    assert store.funds(["alpine"], 200)["alpine"] == Funds(0, None)  # its flight is over
    assert store.funds(["alpine"], 150)["alpine"].empty


def test_one_asks_for_funds_while_the_others_take_the_last(engine: Engine) -> None:
    """Of a database that hangs one caller waits; what was read slightly later counts as well."""
    hangs, asked, go_on = threading.Event(), threading.Event(), threading.Event()
    seconds, count = 0.0, 0

    def hang(*arguments: object) -> None:
        nonlocal count
        count += 1
        if hangs.is_set():
            asked.set()
            assert go_on.wait(30)

    event.listen(engine, "before_cursor_execute", hang)
    write(engine, lambda c: c.execute(insert(budgets).values(advertiser="a", daily_micros=7)))
    funds = FundsCache(engine, 60.0, lambda: seconds)
    first = funds(["a"], 100.0)
    before = count
    assert funds(["a"], 99.9) == first and count == before
    seconds = 61.0
    hangs.set()
    thread = threading.Thread(target=funds, args=(["a"], 161.0))
    thread.start()
    try:
        assert asked.wait(30)
        assert funds(["a"], 161.0) == first and count == before + 1
    finally:
        go_on.set()
        thread.join()


def test_a_failure_counts_for_a_second(engine: Engine) -> None:
    seconds, tried = 0.0, 0

    def broken(*arguments: object) -> None:
        nonlocal tried
        tried += 1
        raise OSError("no route")

    funds = FundsCache(engine, 60.0, lambda: seconds)
    event.listen(engine, "before_cursor_execute", broken)
    for now, so_far in ((0.0, 1), (0.9, 1), (1.0, 2)):
        seconds = now
        assert code_of(lambda: funds(["a"], 0.0)) == "ads_unavailable" and tried == so_far
    event.remove(engine, "before_cursor_execute", broken)
    seconds = 2.5
    assert funds(["a"], 0.0) == {"a": Funds(None, None)}


def test_while_the_database_is_away(store: AdStore, engine: Engine) -> None:
    def broken(*arguments: object) -> None:
        raise OSError("no route")

    event.listen(engine, "before_cursor_execute", broken)
    calls: list[Callable[[], object]] = [
        store.campaigns,
        store.creatives,
        store.not_embedded,
        lambda: store.funds(["a"], 0),
        lambda: store.put_creatives([new()]),
    ]
    for call in calls:
        assert code_of(call) == "ads_unavailable"
