# SPDX-License-Identifier: Apache-2.0
"""The watchdog ends late and abandoned replies, and keeps no reply alive afterwards."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from bls.reply import watchdog as module
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


class Stuck:
    """A reply whose end hangs, as when the model never answers, until `over`."""

    def __init__(self) -> None:
        self.began, self.over = threading.Event(), threading.Event()

    def end(self, reason: str) -> None:
        self.began.set()
        self.over.wait()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    stuck = Stuck()
    yield stuck
    stuck.over.set()


def test_an_end_that_hangs_takes_the_deadline_from_nobody(
    watchdog: Watchdog, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And closing waits no longer than its time for it."""
    monkeypatch.setattr(module, "STOP_S", 0.2)
    late, left = Stream(), Stream(cancelled=True)
    with watchdog.watching(Watched(time.monotonic(), lambda: False, stuck.end)):
        assert stuck.began.wait(5)
        with watchdog.watching(late.watched(time.monotonic())), watchdog.watching(left.watched()):
            until(lambda: bool(late.aborted and left.aborted))
        until(lambda: len(ending()) == 1)
        watchdog.close()
    assert not watchdog._thread.is_alive() and len(ending()) == 1


def test_a_reply_is_ended_once(watchdog: Watchdog) -> None:
    late = Stream()
    with watchdog.watching(late.watched(time.monotonic())):
        until(lambda: bool(late.aborted))
        time.sleep(3 * PERIOD_S)
    assert late.aborted == ["deadline"]
    until(lambda: not watchdog._ending)


def test_a_reply_that_fails_takes_the_deadline_from_nobody(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*reason: str) -> NoReturn:
        raise RuntimeError("the stream is gone")

    late = Stream()
    with (
        watchdog.watching(Watched(FAR, broken, late.aborted.append)),
        watchdog.watching(Watched(time.monotonic(), lambda: False, broken)),
    ):
        until(
            lambda: {"a reply could not be looked at", "a reply could not be ended"} <= said(caplog)
        )
        with watchdog.watching(late.watched(time.monotonic())):
            until(lambda: late.aborted == ["deadline"])


def said(caplog: pytest.LogCaptureFixture) -> set[str]:
    return {record.getMessage() for record in caplog.records}


def ending() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "reply-end"]
