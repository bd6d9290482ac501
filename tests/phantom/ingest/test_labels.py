# SPDX-License-Identifier: Apache-2.0
"""Who a session is, by whose word: recorded, never guessed."""

from __future__ import annotations

import pytest

from bls.errors import SkynetError
from bls.phantom.live import Standing
from tests.phantom.ingest.governed import DRIVEN, label
from tests.phantom.ingest.rig import Shop, event, fault

pytestmark = pytest.mark.spec("PH-01")


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


def test_a_standing_is_checked_when_it_begins_too() -> None:
    with pytest.raises(SkynetError):
        Standing("unknown").becomes(Standing("human"))
    Standing("human", "operator").becomes(Standing("synthetic", "llm", "human"))
