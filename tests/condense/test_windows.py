# SPDX-License-Identifier: Apache-2.0
"""How a head is cut, and which windows are kept."""

from __future__ import annotations

import numpy as np
import pytest

from bls.condense.bridge import Bridge
from bls.condense.condenser import LOG, Condenser
from bls.condense.windows import Salient, cut, first, policy_of, recent, windows_created
from bls.errors import SkynetError
from tests.condense.conftest import Make
from tests.condense.said import FirstHalf, Lines


@pytest.mark.spec("CG-U-01")
def test_1024_tokens_are_12_windows_of_which_8_are_kept(
    make: Make, model: FirstHalf, lines: Lines, bridge: Bridge
) -> None:
    condenser: Condenser = make()
    chat = np.random.default_rng(1).integers(20, 49_000, 1_024).tolist()
    condensed = condenser.condense(chat[:-256], salt=7)
    assert windows_created(len(chat)) == condensed.windows == condenser.stats.windows == 12
    assert len(condensed.summaries) == model.windows == 8
    for at, summary in enumerate(condensed.summaries):
        assert list(summary) == chat[64 * at : 64 * at + 32]
    (line,) = lines.of(LOG)
    assert line["windows_created"] == 12 and line["tail_len"] == 256 and line["summaries"] == 8


@pytest.mark.spec("CG-U-01")
@pytest.mark.parametrize(
    ("length", "count"), [(0, 0), (256, 0), (257, 1), (320, 1), (321, 2), (6_000, 90)]
)
def test_windows_of_a_chat(length: int, count: int) -> None:
    assert windows_created(length) == count == len(cut(range(max(0, length - 256))))


def test_no_head_is_no_window(make: Make, model: FirstHalf, lines: Lines) -> None:
    condensed = make().condense([], 1)
    assert condensed.summaries == () and condensed.windows == 0
    assert not model.calls and not lines.all


def test_the_last_window_may_be_shorter() -> None:
    assert [len(window) for window in cut(range(150))] == [64, 64, 22]


def test_first_and_recent_keep_the_order_of_the_chat() -> None:
    windows = cut(range(640))
    assert first(windows, 8) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert recent(windows, 8) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert first(windows[:3], 8) == recent(windows[:3], 8) == [0, 1, 2]


def test_salient_keeps_what_no_other_window_says(bridge: Bridge) -> None:
    said = ["thanks, that is all for now", "the Grand Hotel in Rome for 3 nights from May 12th"]
    said += ["thanks, that is all for now", "a window table at Bella Napoli at 19:30"]
    windows = [tuple(bridge.ids(text)) for text in said]
    assert Salient(bridge.spelling)(windows, 2) == [1, 3]
    assert Salient(bridge.spelling)(windows, 4) == [0, 1, 2, 3]
    assert len(Salient(bridge.spelling)([windows[0]] * 12, 8)) == 8


def test_an_unknown_policy_is_refused(bridge: Bridge) -> None:
    with pytest.raises(SkynetError) as caught:
        policy_of("longest", bridge.spelling)
    assert caught.value.code == "bad_setting"
