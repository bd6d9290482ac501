# SPDX-License-Identifier: Apache-2.0
"""Windows in this process: rotation, padding, time to live, bounds, replays."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.brain.features import PAST, POSITION, STATS, build, log_weight, pad
from bls.brain.hub.dict_hub import DictHub
from bls.brain.hub.window import Window
from bls.contracts import CTX, WINDOW
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.limits import Limits
from tests.brain.clock import Clock

CONTEXT = np.full(CTX, 1 / math.sqrt(CTX), np.float32)


def code(error: pytest.ExceptionInfo[SkynetError]) -> tuple[str, int]:
    return error.value.code, error.value.status


@pytest.mark.spec("CBP-U-01")
def test_the_oldest_value_goes_and_the_newest_comes(tmp_path: Path) -> None:
    log = JsonLog(tmp_path, 100)
    hub = DictHub(log=log)
    hub.open("c", CONTEXT, {"acme": 1.0})
    for token in range(WINDOW):
        hub.push("c", token, {"acme": 2.0 + token})
    hub.push("c", WINDOW, {"acme": 99.0})
    past = hub.features("c", ["acme"])[0, PAST]
    assert past.shape == (WINDOW,)
    np.testing.assert_allclose(past, np.log([*range(3, 2 + WINDOW), 99]), rtol=1e-6)
    log.close()
    lines = (tmp_path / "feature_hub.rotate.debug").read_text().splitlines()
    last = json.loads(lines[-1])
    assert (last["conv_id"], last["token_idx"]) == ("c", WINDOW)
    assert last["oldest_evicted"] == {"acme": pytest.approx(math.log(2.0))}
    assert last["ts"] > 0 and len(lines) == WINDOW + 1


@given(st.floats(0, 1e4), st.lists(st.floats(0, 1e4), max_size=40))
def test_a_window_is_always_the_padded_list(opening: float, pushed: list[float]) -> None:
    window = Window.opened(CONTEXT, {"acme": opening, "other": 1.0})
    for token, weight in enumerate(pushed):
        window.push(token, {"acme": weight})
    values = [float(log_weight(weight)) for weight in (opening, *pushed)]
    wanted = build(CONTEXT, pad(values)[None], np.array([len(pushed)]))
    np.testing.assert_allclose(window.features(["acme"]), wanted, rtol=1e-6, atol=1e-6)


def test_before_the_first_token_the_opening_value_fills_the_window() -> None:
    hub = DictHub()
    hub.open("c", CONTEXT, {"acme": 4.0, "bolt": 0.0})
    found = hub.features("c", ["bolt", "acme"])
    np.testing.assert_allclose(found[:, PAST], np.log([[0.01] * WINDOW, [4.0] * WINDOW]), rtol=1e-6)
    np.testing.assert_allclose(found[1, STATS], [math.log(4.0), 0, 0], atol=1e-6)
    np.testing.assert_allclose(found[0, POSITION], [0, 1, 0, 1])
    np.testing.assert_array_equal(found[0, :CTX], CONTEXT)


def test_a_replayed_token_changes_nothing_and_a_gap_is_no_error() -> None:
    hub = DictHub()
    hub.open("c", CONTEXT, {"acme": 1.0})
    hub.push("c", 0, {"acme": 2.0})
    once = hub.features("c", ["acme"])
    hub.push("c", 0, {"acme": 50.0})
    np.testing.assert_array_equal(hub.features("c", ["acme"]), once)
    hub.push("c", 7, {"acme": 3.0})
    np.testing.assert_allclose(hub.features("c", ["acme"])[0, POSITION][0], math.sin(8 / 1000))


def test_a_dropped_row_keeps_its_window_and_a_late_bidder_gets_one() -> None:
    hub = DictHub()
    hub.open("c", CONTEXT, {"acme": 1.0, "bolt": 1.0})
    hub.push("c", 0, {"acme": math.nan, "bolt": 2.0, "late": 3.0})
    past = hub.features("c", ["acme", "bolt", "late"])[:, PAST]
    np.testing.assert_allclose(past[:, -1], np.log([1, 2, 3]), atol=1e-6)
    np.testing.assert_allclose(past[2], np.log(3), rtol=1e-6)


def test_opening_again_starts_afresh() -> None:
    hub = DictHub()
    hub.open("c", CONTEXT, {"acme": 1.0})
    hub.push("c", 0, {"acme": 9.0})
    hub.open("c", CONTEXT, {"bolt": 5.0})
    np.testing.assert_allclose(hub.features("c", ["bolt"])[0, PAST], np.log(5), rtol=1e-6)
    with pytest.raises(SkynetError):
        hub.features("c", ["acme"])


@pytest.mark.spec("CBP-U-08")
def test_a_window_nobody_touches_is_gone_after_a_minute() -> None:
    clock = Clock()
    hub = DictHub(clock=clock)
    hub.open("old", CONTEXT, {"acme": 1.0})
    hub.open("kept", CONTEXT, {"acme": 1.0})
    clock.pass_by(59)
    hub.features("kept", ["acme"])
    clock.pass_by(1)
    with pytest.raises(SkynetError) as caught:
        hub.features("old", ["acme"])
    assert code(caught) == ("unknown_conversation_window", 404)
    assert hub.features("kept", ["acme"]).shape == (1, 150)
    assert (hub.stats.ttl_evictions, hub.stats.conversations) == (1, 1)


def test_unknown_conversations_and_advertisers_are_a_typed_404() -> None:
    hub = DictHub()
    hub.open("c", CONTEXT, {"acme": 1.0})
    for ask in (
        lambda: hub.features("d", ["acme"]),
        lambda: hub.features("c", ["acme", "nobody"]),
        lambda: hub.push("d", 0, {"acme": 1.0}),
        lambda: hub.context("d"),
    ):
        with pytest.raises(SkynetError) as caught:
            ask()
        assert code(caught) == ("unknown_conversation_window", 404)
    assert hub.stats.unknown == 4
    hub.close("c")
    hub.close("c")
    with pytest.raises(SkynetError):
        hub.context("c")


def test_the_hub_is_bounded() -> None:
    hub = DictHub(limits=Limits(hub_conversations=3))
    for number in range(5):
        hub.open(str(number), CONTEXT, {"acme": 1.0})
    assert hub.stats.overflows == 2
    assert [hub.has(str(number)) for number in range(5)] == [False, False, True, True, True]


@pytest.mark.spec("CBP-U-02")
def test_the_context_is_found_and_not_made_again() -> None:
    """The object that was given comes back; the seed's 10 us are for the median of 10,000."""
    hub = DictHub()
    hub.open("c", CONTEXT, {"acme": 1.0})
    took = []
    for _ in range(10_000):
        began = time.perf_counter()
        found = hub.context("c")
        took.append(time.perf_counter() - began)
        assert found is CONTEXT
    assert np.median(took) < 10e-6
    assert hub.stats.ctx_hits == 10_000 and 0 < hub.stats.ctx_hit_s < 1


@pytest.mark.parametrize(
    "context",
    [np.ones(64, np.float32), np.full(CTX, np.nan, np.float32), np.ones((1, CTX), np.float32)],
)
def test_a_bad_context_is_refused(context: np.ndarray) -> None:
    with pytest.raises(ValueError):
        DictHub().open("c", context, {"acme": 1.0})


def test_a_conversation_without_advertisers_has_no_rows() -> None:
    hub = DictHub()
    hub.open("c", CONTEXT, {})
    assert hub.features("c", []).shape == (0, 150)
    hub.push("c", 0, {})
