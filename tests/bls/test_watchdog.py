# SPDX-License-Identifier: Apache-2.0
"""The watchdog ends late and abandoned replies, and keeps no reply alive afterwards."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from bls.reply.watchdog import PERIOD_S, Watchdog, Watched

FAR = float("inf")


class Stream:
    """Stands for a reply and its response sender."""

    def __init__(self, cancelled: bool = False) -> None:
        self.is_cancelled = cancelled
        self.aborted: list[str] = []

    def watched(self, deadline: float = FAR) -> Watched:
        return Watched(deadline, lambda: self.is_cancelled, self.aborted.append)


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog()
    yield watchdog
    watchdog.close()


def until(check: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


def test_late_and_abandoned_replies_are_ended(watchdog: Watchdog) -> None:
    late, left, fine = Stream(), Stream(cancelled=True), Stream()
    with (
        watchdog.watching(late.watched(time.monotonic())),
        watchdog.watching(left.watched()),
        watchdog.watching(fine.watched()),
    ):
        until(lambda: bool(late.aborted and left.aborted))
    assert set(late.aborted) == {"deadline"} and set(left.aborted) == {"cancelled"}
    assert fine.aborted == []


def test_nothing_is_kept_alive_once_a_reply_is_over(watchdog: Watchdog) -> None:
    """A leftover name in the thread's frame would hold the last reply until the next one."""
    stream = Stream(cancelled=True)
    alive, aborted = weakref.ref(stream), stream.aborted
    with watchdog.watching(stream.watched()):
        until(lambda: bool(aborted))
    gc.disable()  # by reference counts alone
    try:
        del stream
        until(lambda: alive() is None, seconds=5 * PERIOD_S)
    finally:
        gc.enable()


def test_close_ends_the_thread(watchdog: Watchdog) -> None:
    watchdog.close()
    assert not watchdog._thread.is_alive()
