# SPDX-License-Identifier: Apache-2.0
"""The order of the circle, and every promise it can break."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from bls.errors import SkynetError
from pipelines_dagster.loop.budget import Budget
from pipelines_dagster.loop.circle import Circle, Findings
from pipelines_dagster.loop.report import as_svg, as_text
from pipelines_dagster.loop.steps import Verdict, Version
from tests.pipelines.loop.double import CHALLENGER, Double


class Seconds:
    """Time passes only while somebody sleeps."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def closed(double: Double, failures: int = 0) -> tuple[Findings, list[tuple[str, str]]]:
    shown: list[tuple[str, str]] = []
    clock = Seconds()
    circle = Circle(
        double,
        Budget(5),
        lambda step, text: shown.append((step, text)),
        failures=lambda: failures,
        clock=clock,
        sleep=clock.sleep,
    )
    return circle.run(), shown


def broken(double: Double, failures: int = 0) -> list[str]:
    return [p.what for p in closed(double, failures)[0].promises if not p.kept]


def test_the_circle_closes() -> None:
    double = Double()
    found, shown = closed(double)
    assert found.kept
    assert double.live == CHALLENGER
    steps = [call for call in double.calls if call != "ingest"]
    expected = ["crown", "build", "train", "validate", "promote", "offer", "validate", "forced"]
    assert steps == expected
    assert found.before is not None
    assert found.after is not None
    assert [step for step, _ in shown if step == "kept"] == ["kept"] * len(found.promises)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"rmse": {"weak": 0.4, "challenger": 0.395}}, "the live error falls by 2 %"),
        ({"rmse": {"challenger": 0.2}}, "the live error falls by 2 %"),
        ({"gates": {"challenger": False, "bad": False}}, "the gate lets the better one pass"),
        ({"canaries": {"challenger": False, "bad": False}}, "the canary promotes it"),
        ({"silent": True}, "the notifier is told"),
        ({"broken": "train"}, "every step can be done"),
    ],
)
def test_one_thing_breaks(changes: dict[str, Any], wanted: str) -> None:
    assert broken(Double(**changes)) == [wanted]


@pytest.mark.spec("ORC-I-03")
def test_a_bad_one_that_passes_the_gate_breaks_the_promise() -> None:
    wanted = "the gate refuses a bad one, the key untouched"
    assert broken(Double(gates={"challenger": True, "bad": True})) == [wanted]


def test_a_bad_one_that_goes_live_breaks_the_promise() -> None:
    double = Double(canaries={"challenger": True, "bad": True})
    assert broken(double) == ["the canary stops it, the key untouched"]


def test_a_failed_request_breaks_the_promise() -> None:
    assert broken(Double(), failures=1) == ["no request failed"]


def test_a_gate_that_refuses_everything_still_shows_the_bad_one() -> None:
    double = Double(gates={"challenger": False, "bad": False})
    closed(double)
    assert "promote" not in double.calls
    assert "forced" in double.calls


def test_an_ingest_that_fails_during_the_canary_is_told() -> None:
    class Starved(Double):
        def promote(self, challenger: Version, *, forced: bool = False) -> Verdict:
            self.broken = "ingest"
            self.starved.wait(10)
            return super().promote(challenger, forced=forced)

        def ingest(self) -> int:
            if self.broken == "ingest":
                self.starved.set()
                raise SkynetError("step_failed", "ingest failed.", 500)
            return super().ingest()

        starved = threading.Event()

    clock = Seconds()
    circle = Circle(
        Starved(), Budget(5), lambda *_: None, clock=clock, sleep=clock.sleep, every_s=0.01
    )
    assert [p.what for p in circle.run().promises if not p.kept] == ["every step can be done"]


def test_watching_ends_with_its_time() -> None:
    double = Double(rmse={})
    found, _ = closed(double)
    assert found.before is None
    assert double.calls.count("ingest") >= 9  # 45 s of watching, a look every 5 s


def test_minutes_too_few() -> None:
    with pytest.raises(SkynetError) as caught:
        Budget(1)
    assert caught.value.code == "bad_minutes"


def test_on_paper() -> None:
    found, _ = closed(Double())
    text = as_text(found)
    assert "weak champion" in text
    assert "the circle is closed" in text
    assert "█" in text
    picture = ET.fromstring(as_svg(found))
    assert len(picture.findall("{*}circle")) == 4


def test_on_paper_when_nothing_was_seen() -> None:
    text = as_text(Findings())
    assert text == "the circle FAILED"
    ET.fromstring(as_svg(Findings()))
