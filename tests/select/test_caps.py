# SPDX-License-Identifier: Apache-2.0
"""Counts of a conversation: bounded, forgotten, without its name."""

from __future__ import annotations

from bls.select.caps import FrequencyCaps


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_counted_and_forgotten() -> None:
    clock = Clock()
    caps = FrequencyCaps(forget_s=10, clock=clock)
    caps.add("c", "r1", ["a", "b", "a"])
    caps.add("c", "r1", ["a"])
    caps.add("c", "r2", ["a"])
    assert caps.counts("c") == {"a": 2, "b": 1} and not caps.counts("d")
    clock.now = 9
    caps.add("c", "r3", ["b"])
    clock.now = 18
    assert caps.counts("c")["b"] == 2, "a count begins the time anew"
    clock.now = 20
    assert not caps.counts("c")
    caps.add("c", "r4", ["a"])
    assert caps.counts("c") == {"a": 1}


def test_bounded_and_swept() -> None:
    clock = Clock()
    caps = FrequencyCaps(size=3, forget_s=10, clock=clock)
    for number in range(5):
        caps.add(f"c{number}", "r", ["a"])
    assert len(caps) == 3 and not caps.counts("c1") and caps.counts("c2")
    caps.add("c2", "r2", ["a"])
    caps.add("c5", "r", ["a"])
    assert caps.counts("c2") == {"a": 2} and not caps.counts("c3"), "the oldest count goes"
    clock.now = 11
    caps.add("new", "r", ["a"])
    assert len(caps) == 1
    assert all(isinstance(key, bytes) and len(key) == 16 for key in caps._seen)
