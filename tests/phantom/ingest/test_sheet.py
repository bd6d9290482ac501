# SPDX-License-Identifier: Apache-2.0
"""Sheets of others: their columns found, their labels with an origin, each act in once."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bls.errors import SkynetError
from bls.phantom.recorded import read_sessions
from bls.phantom.session import SessionEvent
from bls.phantom.sheet import detect, read_sheet
from client.commands.phantom import phantom
from client.commands.phantom.sheet import NOTE
from client.replies import ReplyError
from tests.phantom.ingest.rig import Shop, event, fault, open_shop
from tests.phantom.ingest.scorer import Scorer

pytestmark = pytest.mark.spec("PH-07")

SHEET = """Session ID,Event Type,Product ID,Timestamp,dwell_ms,actor_type
b,click item,sku-9,2025-03-01T10:00:05Z,,human
b,hover_title,sku-9,1740823200,250,human
a,Add to cart,sku-1,1740823201500,,bot
a,page view,,1740823202.5,,bot
"""


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "Shop visits.csv"
    path.write_text(SHEET)
    return path


def test_a_sheet_becomes_sessions(sheet: Path) -> None:
    first, second = read_sheet(sheet, "hotel", "visits")
    assert (first.session.sid, second.session.sid) == ("b", "a")
    assert first.session.events == (
        SessionEvent("hover_title", "sku-9", 1_740_823_200_000, 250),
        SessionEvent("view_item", "sku-9", 1_740_823_205_000),
    ), "in the order of time"
    assert (first.session.label, first.session.origin) == ("human", "import:visits")
    assert (second.session.label, second.session.start_ms) == ("agent", 1_740_823_201_500)
    assert [raw for _, raw, _ in second.acts] == ["Add to cart", "page view"]
    ids = [name for told in (first, second) for name, _, _ in told.acts]
    again = [name for told in read_sheet(sheet, "hotel", "visits") for name, _, _ in told.acts]
    other = [name for told in read_sheet(sheet, "hotel", "others") for name, _, _ in told.acts]
    assert ids == again and len(set(ids + other)) == 8


@pytest.mark.parametrize(
    ("head", "cells", "label", "actor"),
    [
        ("is_agent", "1", "agent", ""),
        ("is_agent", "False", "human", ""),
        ("is_agent", "", "unknown", ""),
        ("record_type", "Synthetic", "synthetic", "agent"),
        ("record_type,actor_type", "synthetic,human", "synthetic", "human"),
        ("record_type,is_agent", "synthetic,1", "synthetic", "agent"),
        ("record_type,is_agent", "unknown,0", "human", ""),
        ("colour", "red", "unknown", ""),
    ],
)
def test_who_acted(tmp_path: Path, head: str, cells: str, label: str, actor: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f"sid,action,ts,{head}\ns,search,1000,{cells}\n")
    (told,) = read_sheet(path, "hotel", "sheet")
    assert (told.session.label, told.session.actor) == (label, actor)
    assert told.session.origin == ("" if label == "unknown" else "import:sheet")
    told.standing.check()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column for the session"),
        ("sid,ts\n", "no column for the action"),
        ("sid,action\n", "no column for the time: one of ts_ms"),
        ("sid,action,ts,SID\n", "twice"),
        ("sid,action,ts\nb c,search,1\n", "Line 2, sid: not an id"),
        ("sid,action,ts\ns,search,1\ns,<b>,1\n", "Line 3, action: not an action"),
        ("sid,action,ts,sku\ns,search,1,a b\n", "Line 2, sku: not an id"),
        ("sid,action,ts\ns,search,soon\n", "Line 2, ts: not a time"),
        ("sid,action,ts\ns,search,-1\n", "Line 2, ts: not a time"),
        ("sid,action,ts\ns,search,nan\n", "Line 2, ts: not a time"),
        ("sid,action,ts,dwell\ns,search,1,long\n", "Line 2, dwell: not milliseconds"),
        ("sid,action,ts,dwell\ns,search,1,86400001\n", "Line 2, dwell: not milliseconds"),
        ("sid,action,ts,actor\ns,search,1,dog\n", "Line 2, actor: nobody we know"),
        ("sid,action,ts,actor,is_bot\ns,search,1,human,1\n", "two labels"),
        ("sid,action,ts,actor\ns,search,1,human\ns,search,2,bot\n", "Line 3: .* another label"),
        ('sid,action,ts\n"s,search,1\n', "cannot be read"),
    ],
)
def test_what_is_no_sheet(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(SkynetError, match=why) as caught:
        read_sheet(path, "hotel", "sheet")
    assert caught.value.code in ("sheet_columns", "bad_row", "unreadable_sheet")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(gzip.compress(SHEET.encode()))
    with pytest.raises(SkynetError, match="UnicodeDecodeError"):
        read_sheet(path, "hotel", "sheet")


def test_a_session_of_a_sheet_has_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("sid,action,ts\n" + "s,search,1\n" * 5_001)
    with pytest.raises(SkynetError, match="more than 5000"):
        read_sheet(path, "hotel", "sheet")


def test_the_first_of_several_names_is_taken() -> None:
    found = detect(["session", "Session-ID", "ts", "TS (ms)", "event", "price"])
    assert found == {"session": "Session-ID", "action": "event", "time": "TS (ms)"}


def run(*words: str, state: Path) -> Result:
    return CliRunner().invoke(phantom, list(words), env={"SKYNET_STATE": str(state)})


def test_a_sheet_comes_in_once(scorer: Scorer, sheet: Path, tmp_path: Path) -> None:
    with open_shop(scorer.address, tmp_path) as shop:
        words = ("import", str(sheet), "--mode", "hotel", "--url", shop.gateway.url)
        done = run(*words, state=tmp_path)
        assert done.exit_code == 0 and "2 sessions, 4 events new, 0 known" in done.output
        assert "1 agent, 1 human" in done.output
        assert list(json.loads((tmp_path / NOTE).read_text())) == ["shop_visits"]
        again = run(*words, state=tmp_path)
        assert isinstance(again.exception, SkynetError)
        assert again.exception.code == "imported_before" and "This sheet" in str(again.exception)
        once_more = run(*words, "--again", state=tmp_path)
        assert "0 events new, 4 known" in once_more.output
        found = shop.events()
        assert [line["kind"] for line in found] == ["import"] * 4
        assert {line["origin"] for line in found} == {"import:shop_visits"}
        assert [line["ts_ms"] for line in found][:2] == [1_740_823_200_000, 1_740_823_205_000]
        assert shop.http.get("/v1/sessions/b").status_code == 404, "nobody is in the shop"
    with open_shop(scorer.address, tmp_path) as shop:
        assert shop.get("/v1/sessions")["live"] == 0
        done = run(
            "import",
            str(sheet),
            "--mode",
            "hotel",
            "--url",
            shop.gateway.url,
            "--again",
            state=tmp_path,
        )
        assert "0 events new, 4 known" in done.output, "a gateway that starts again knows them"


def test_another_sheet_of_the_same_name(scorer: Scorer, sheet: Path, tmp_path: Path) -> None:
    (tmp_path / NOTE).write_text(json.dumps({"visits": "0" * 64}))
    refused = run("import", str(sheet), "--mode", "hotel", "--name", "visits", state=tmp_path)
    assert "Another sheet" in str(refused.exception)
    bad = run("import", str(sheet), "--mode", "hotel", "--name", "Two Words", state=tmp_path)
    assert bad.exit_code == 2 and "lower case" in bad.output
    (tmp_path / NOTE).write_text("[")
    assert "no JSON" in str(run("import", str(sheet), "--mode", "hotel", state=tmp_path).exception)


def test_a_sheet_as_a_file_to_train_from(sheet: Path, tmp_path: Path) -> None:
    out = tmp_path / "sessions.jsonl.gz"
    done = run("import", str(sheet), "--mode", "airline", "--out", str(out), state=tmp_path)
    assert done.exit_code == 0 and "2 sessions written" in done.output
    assert [one.sid for one in read_sessions(out)] == ["b", "a"]
    assert not (tmp_path / NOTE).exists()


def test_a_long_session_takes_several_requests(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("sid,action,ts\n" + "".join(f"long,search,{n}\n" for n in range(1, 151)))
    done = run("import", str(path), "--mode", "hotel", "--url", shop.gateway.url, state=tmp_path)
    assert "150 events new" in done.output
    found = [line["ts_ms"] for line in shop.events() if line["session_id"] == "long"]
    assert found == sorted(found) and len(found) == 150


def test_a_live_session_is_not_a_sheets(shop: Shop, tmp_path: Path) -> None:
    shop.tell(event(), sid="alive")
    path = tmp_path / "mixed.csv"
    path.write_text("sid,action,ts\nalive,search,1\n")
    done = run("import", str(path), "--mode", "hotel", "--url", shop.gateway.url, state=tmp_path)
    assert isinstance(done.exception, ReplyError) and "is live" in str(done.exception)
    assert not (tmp_path / NOTE).exists(), "it may be tried again"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"origin": "operator", "label": "human"}, "invalid_value"),
        ({"origin": "import:x"}, "invalid_label"),
        ({"label": "human"}, "invalid_label"),
        ({"events": []}, "empty"),
        ({"mode": "boats"}, "invalid_value"),
    ],
)
def test_what_the_gateway_does_not_import(shop: Shop, change: dict[str, object], code: str) -> None:
    act = {"event_id": "e", "action": "search", "ts_ms": 1}
    body = {"mode": "hotel", "events": [act]} | change
    assert fault(shop.post("/v1/sessions/imported/import", body))[:2] == (400, code)


@pytest.mark.spec("PH-08")
def test_live_sessions_as_a_table(scorer: Scorer, tmp_path: Path) -> None:
    with open_shop(scorer.address, tmp_path) as shop:
        nobody = run("sessions", "--url", shop.gateway.url, state=tmp_path)
        assert nobody.output == "0 live\n"
        shop.tell(event(), sid="scored")
        scorer.says = None
        shop.tell(event("page_view"), sid="unscored", experiment={"name": "e", "condition": "c"})
        shown = run("sessions", "--url", shop.gateway.url, state=tmp_path).output
        rows = {row.split()[0]: row for row in shown.splitlines()}
        assert "0.25" in rows["scored"] and " - " in rows["unscored"] and "e/c" in rows["unscored"]
        assert shown.endswith("2 live\n")
        words = ("sessions", "--json", "--limit", "1", "--url", shop.gateway.url)
        told = json.loads(run(*words, state=tmp_path).output)
        assert told["live"] == 2
        assert [one["session_id"] for one in told["sessions"]] == ["unscored"]
