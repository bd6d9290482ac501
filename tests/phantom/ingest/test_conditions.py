# SPDX-License-Identifier: Apache-2.0
"""Under which condition a session runs: by hash or as named, once and for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.keys.publish import Publisher
from bls.limits import LIMITS
from bls.phantom.experiments import KEY, read_experiments
from client.gateway.phantom import conditions
from tests.client.fake_triton import wait_until
from tests.phantom.ingest.governed import DRIVEN, RUNNING, label
from tests.phantom.ingest.rig import Shop, event, fault, open_shop, quote
from tests.phantom.ingest.scorer import Scorer

pytestmark = pytest.mark.spec("PH-01")


def test_a_driver_names_its_condition(shop: Shop) -> None:
    named = {"name": "alpha_sweep", "condition": "alpha_03"}
    assert shop.tell(event(), sid="placed", experiment=named).is_success
    assert shop.tell(event("page_view"), sid="placed").is_success
    found = [line for line in shop.events() if line["session_id"] == "placed"]
    assert {(line["experiment"], line["condition"]) for line in found} == {
        ("alpha_sweep", "alpha_03")
    }
    other = shop.tell(event(), sid="placed", experiment=named | {"condition": "alpha_06"})
    assert fault(other) == (409, "condition_fixed", "experiment")
    shop.tell(event(), sid="unplaced")
    late = shop.tell(event(), sid="unplaced", experiment=named)
    assert fault(late) == (409, "condition_fixed", "experiment")


@pytest.fixture
def governed(scorer: Scorer, tmp_path: Path) -> Iterator[Shop]:
    """A gateway with an experiment in its key store."""
    store = FolderStore(tmp_path / "keys", 0.02)
    Publisher(store, None).publish(KEY, {"experiments": [RUNNING]}, None)
    with open_shop(scorer.address, tmp_path, keys=str(tmp_path / "keys")) as opened:
        yield opened
    store.close()


def test_a_session_gets_its_condition_by_hash(governed: Shop) -> None:
    experiments = read_experiments({"experiments": [RUNNING]})
    for number in range(8):
        assert governed.tell(event(), sid=f"s-{number}").is_success
        found = governed.session(f"s-{number}")
        expected = experiments.assign(f"s-{number}", "hotel", time.time())
        assert (found["experiment"], found["condition"]) == expected
    governed.tell(event("page_view"), sid="flight", mode="airline")
    assert governed.session("flight")["experiment"] == "", "of the other mode there is none"
    wrong = {"name": "static_or_learned", "condition": "free"}
    answer = governed.tell(event(), sid="wrong", experiment=wrong)
    assert fault(answer) == (400, "unknown_condition", "experiment")


def test_experiments_change_while_it_runs(governed: Shop, tmp_path: Path) -> None:
    governed.tell(event(), sid="before")
    store = FolderStore(tmp_path / "keys")
    publisher = Publisher(store, None)
    publisher.publish(KEY, {"experiments": "none"}, None)
    publisher.publish(KEY, {"experiments": [RUNNING | {"name": "next_one"}]}, None)
    desk = governed.gateway.state.sessions
    assert wait_until(lambda: "next_one" in desk.experiments.known)
    governed.tell(event(), sid="after")
    governed.tell(event("page_view"), sid="before")
    assert governed.session("after")["experiment"] == "next_one"
    assert governed.session("before")["experiment"] == "static_or_learned", "it keeps its own"
    store.close()


def idle(shop: Shop, sid: str) -> None:
    """Its half hour is over."""
    session = shop.gateway.state.sessions.book.get(sid)
    assert session is not None
    session.heard -= LIMITS.session_idle_s + 1


def test_a_session_that_comes_back_is_the_one_it_was(governed: Shop, tmp_path: Path) -> None:
    named = {"name": "alpha_sweep", "condition": "alpha_03"}
    governed.tell(event(), sid="back")
    before = governed.session("back")
    label(governed, "back", label="human", origin="operator")
    store = FolderStore(tmp_path / "keys")
    Publisher(store, None).publish(KEY, {"experiments": [RUNNING | {"name": "next_one"}]}, None)
    desk = governed.gateway.state.sessions
    assert wait_until(lambda: "next_one" in desk.experiments.known)
    for _ in range(2):  # it stays so, however often it comes back
        idle(governed, "back")
        assert governed.http.get("/v1/sessions/back").status_code == 404
        late = governed.tell(event(), sid="back", experiment=named)
        assert fault(late) == (409, "condition_fixed", "experiment")
        assert governed.show(quote(), sid="back").is_success
        found = governed.session("back")
        assert (found["experiment"], found["condition"], found["label"]) == (
            before["experiment"],
            before["condition"],
            "human",
        )
    governed.tell(event("page_view"), sid="back")
    acts = [line for line in governed.events() if line["kind"] == "act"]
    assert [line["label"] for line in acts] == ["unknown", "human"]
    assert {line["experiment"] for line in acts} == {"static_or_learned"}
    label(governed, "back", **DRIVEN)
    idle(governed, "back")
    answer = label(governed, "back", label="human", origin="operator", mode="hotel")
    assert fault(answer) == (409, "synthetic_stays", "label")
    store.close()


def test_a_session_that_only_saw_prices_has_its_condition_after_a_restart(
    scorer: Scorer, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "keys")
    Publisher(store, None).publish(KEY, {"experiments": [RUNNING]}, None)
    store.close()
    settings = {"keys": str(tmp_path / "keys")}
    with open_shop(scorer.address, tmp_path, **settings) as shop:
        shop.show(quote(), sid="looked")
        before = shop.session("looked")
    with open_shop(scorer.address, tmp_path, **settings) as shop:
        assert shop.session("looked")["quotes"] == 1
        assert shop.gateway.state.prices._condition("looked", "hotel") == before["condition"]
        shop.tell(event(), sid="looked")
        found = shop.session("looked")
        for name in ("experiment", "condition"):
            assert found[name] == before[name] != ""


def test_a_slow_key_store_holds_up_the_first_session_alone(
    scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    class Slow(FolderStore):
        def get(self, key: str) -> Entry | None:
            answers.wait(20)
            return super().get(key)

    store = FolderStore(tmp_path / "keys")
    Publisher(store, None).publish(KEY, {"experiments": [RUNNING]}, None)
    store.close()
    monkeypatch.setattr(conditions, "open_store", lambda *_: Slow(tmp_path / "keys", 0.02))
    with (
        open_shop(scorer.address, tmp_path, keys="slow") as shop,
        ThreadPoolExecutor(1) as pool,
    ):
        told = pool.submit(shop.tell, event(), sid="early")
        assert shop.http.get("/healthz").is_success
        assert not told.done() and not answers.is_set()
        answers.set()
        assert told.result(20).is_success
        assert shop.session("early")["experiment"] == "static_or_learned"
