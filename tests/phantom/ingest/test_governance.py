# SPDX-License-Identifier: Apache-2.0
"""Who a session is, by whose word, and under which condition it runs: recorded, never guessed."""

from __future__ import annotations

import hashlib
import json
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bls.errors import SkynetError
from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.keys.publish import Publisher
from bls.limits import LIMITS
from bls.phantom.experiments import KEY, Experiments, read_experiments
from bls.phantom.live import Standing
from bls.phantom.salt import hashed, read_salt
from client.commands.phantom import phantom
from client.gateway.phantom import conditions
from tests.client.fake_triton import wait_until
from tests.phantom.ingest.rig import Shop, event, fault, open_shop, quote
from tests.phantom.ingest.scorer import Scorer

pytestmark = pytest.mark.spec("PH-01")

RUNNING = {
    "name": "static_or_learned",
    "mode": "hotel",
    "first": "2020-01-01",
    "last": "2099-12-31",
    "conditions": {"static": 0.25, "learned": 0.75},
}
DRIVEN = {"label": "synthetic", "origin": "cheapest_first", "actor": "agent"}


def label(shop: Shop, sid: str, **body: Any) -> Any:
    return shop.post(f"/v1/sessions/{sid}/label", body)


def test_a_label_has_an_origin_and_is_recorded(shop: Shop) -> None:
    shop.tell(event(), sid="labelled")
    assert label(shop, "labelled", label="agent", origin="operator").json()["label"] == "agent"
    assert label(shop, "labelled", label="agent", origin="operator").is_success
    shop.tell(event("page_view"), sid="labelled")
    found = [line for line in shop.events() if line["session_id"] == "labelled"]
    said = [(line["kind"], line["label"], line["origin"]) for line in found]
    assert said == [
        ("act", "unknown", ""),
        ("label", "agent", "operator"),
        ("act", "agent", "operator"),
    ], "the same label again is no news"
    assert found[1]["event_id"].startswith("~") and found[1]["action"] == ""


def test_a_driver_labels_its_session_before_it_acts(shop: Shop) -> None:
    assert label(shop, "driven", mode="hotel", **DRIVEN).json()["events"] == 0
    shop.tell(event(), sid="driven")
    found = [line for line in shop.events() if line["session_id"] == "driven"]
    assert {line["label"] for line in found} == {"synthetic"}
    assert found[-1]["actor"] == "agent" and found[-1]["origin"] == "cheapest_first"


@pytest.mark.parametrize("other", ["human", "agent", "unknown"])
def test_synthetic_stays_synthetic(shop: Shop, other: str) -> None:
    label(shop, "made", mode="hotel", **DRIVEN)
    origin = {} if other == "unknown" else {"origin": "operator"}
    answer = label(shop, "made", label=other, **origin)
    assert fault(answer) == (409, "synthetic_stays", "label")
    assert shop.session("made")["label"] == "synthetic"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"label": "human"}, "invalid_label"),
        ({"label": "unknown", "origin": "operator"}, "invalid_label"),
        ({"label": "synthetic", "origin": "llm"}, "invalid_label"),
        ({"label": "human", "origin": "operator", "actor": "human"}, "invalid_label"),
        ({"label": "robot", "origin": "operator"}, "invalid_value"),
        ({"label": "human", "origin": "two words"}, "invalid_value"),
        ({"label": "human", "origin": "x" * 129}, "invalid_value"),
        ({"label": "human", "origin": "import:sheet"}, "invalid_value"),
        ({"origin": "operator"}, "missing_field"),
    ],
)
def test_what_is_no_label(shop: Shop, body: dict[str, str], code: str) -> None:
    assert fault(label(shop, "unlabelled", mode="hotel", **body))[:2] == (400, code)
    assert shop.http.get("/v1/sessions/unlabelled").status_code == 404


def test_nobody_is_labelled_who_is_not_there(shop: Shop) -> None:
    answer = label(shop, "nobody", label="human", origin="operator")
    assert fault(answer) == (404, "unknown_session", "session_id")


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


def test_shares_are_kept_and_experiments_are_independent() -> None:
    told = [RUNNING, RUNNING | {"name": "other_one", "mode": "airline"}]
    known: Experiments = read_experiments({"experiments": told})
    sids = [f"s-{number}" for number in range(4_000)]
    one, two = known.known.values()
    counts = Counter((one.condition(sid), two.condition(sid)) for sid in sids)
    static = sum(count for pair, count in counts.items() if pair[0] == "static")
    assert abs(static / len(sids) - 0.25) < 0.03
    assert abs(counts["static", "static"] / static - 0.25) < 0.06


def test_the_last_day_counts_and_the_next_does_not() -> None:
    day = RUNNING | {"first": "2026-11-20", "last": "2026-11-22"}
    known = read_experiments({"experiments": [day]})
    noon = 1_795_348_800.0  # 2026-11-22 12:00 UTC
    assert known.assign("s", "hotel", noon)[0] == RUNNING["name"]
    assert known.assign("s", "hotel", noon + 86_400) == ("", "")
    assert known.assign("s", "hotel", noon - 3 * 86_400) == ("", "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"conditions": {"static": 0.5}}, "shares"),
        ({"conditions": {"static": 1.5, "learned": -0.5}}, "shares"),
        ({"conditions": {}}, "conditions"),
        ({"first": "2026-13-01"}, "first"),
        ({"first": "2030-01-01", "last": "2029-01-01"}, "ends before"),
        ({"mode": "boats"}, "mode"),
        ({"name": "Two Words"}, "name"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_is_no_experiment(change: dict[str, Any], why: str) -> None:
    with pytest.raises(SkynetError, match=why) as caught:
        read_experiments({"experiments": [RUNNING | change]})
    assert caught.value.code == "bad_experiments"


def test_experiments_that_would_mix() -> None:
    other = RUNNING | {"name": "other_one", "first": "2050-01-01"}
    with pytest.raises(SkynetError, match="run in one mode on one day"):
        read_experiments({"experiments": [RUNNING, other]})
    with pytest.raises(SkynetError, match="twice"):
        read_experiments({"experiments": [RUNNING, RUNNING | {"mode": "airline"}]})
    with pytest.raises(SkynetError):
        read_experiments({"experiment": []})


def test_a_standing_is_checked_when_it_begins_too() -> None:
    with pytest.raises(SkynetError):
        Standing("unknown").becomes(Standing("human"))
    Standing("human", "operator").becomes(Standing("synthetic", "llm", "human"))


def test_a_user_agent_is_kept_as_a_salted_hash(shop: Shop) -> None:
    shop.post(
        "/v1/events",
        {"session_id": "agent", "mode": "hotel", "events": [event()]},
        **{"user-agent": "Browser of somebody 1.0"},
    )
    (line,) = [x for x in shop.events() if x["session_id"] == "agent"]
    path = shop.folder / "session.salt"
    salt = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(salt) == 32
    expected = hashlib.sha256(salt + b"Browser of somebody 1.0").hexdigest()
    assert line["user_agent"] == expected
    assert b"Browser" not in (shop.folder / "logs" / "session.events").read_bytes()


def test_the_salt_is_made_once_and_never_shared(tmp_path: Path) -> None:
    path = tmp_path / "state" / "session.salt"
    assert read_salt(path) == read_salt(path)
    assert [found.name for found in path.parent.iterdir()] == ["session.salt"]
    assert hashed(b"salt", "") == "" and hashed(b"a", "x") != hashed(b"b", "x")
    path.chmod(0o644)
    with pytest.raises(SkynetError) as caught:
        read_salt(path)
    assert caught.value.code == "bad_salt"


def test_a_salt_that_others_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / "session.salt"
    read_salt(path)
    path.chmod(0o644)
    with open_shop("127.0.0.1:1", tmp_path) as shop:
        for _ in range(2):
            assert fault(shop.tell(event()))[:2] == (503, "sessions_stalled")
        path.chmod(0o600)
        assert shop.tell(event()).is_success


def test_experiments_are_published_and_listed(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "keys"))
    file = tmp_path / "experiments.json"

    def run(*words: str) -> Result:
        env = {"SKYNET_STATE": str(tmp_path)}
        return CliRunner().invoke(phantom, ["experiments", *words, *store], env=env)

    assert run().output == "none\n"
    file.write_text(json.dumps({"experiments": [RUNNING]}))
    assert run("--publish", str(file)).output.startswith("version 1,")
    assert "static 0.25, learned 0.75" in run().output
    file.write_text(json.dumps({"experiments": [RUNNING | {"mode": "boats"}]}))
    assert "Not a value" in str(run("--publish", str(file)).exception)
    file.write_text("[]")
    assert "no JSON object" in str(run("--publish", str(file)).exception)
    other = FolderStore(tmp_path / "keys")
    Publisher(other, None).publish(KEY, {"experiments": 1}, None)
    other.close()
    assert "does not count" in str(run().exception)
