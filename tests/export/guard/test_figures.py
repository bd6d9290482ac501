# SPDX-License-Identifier: Apache-2.0
"""Intervals, confusion counts, the choice of thresholds, the split, the attacks."""

from __future__ import annotations

import random

import pytest

from bls.guard.normal import normal
from export.guard.attacks import TRAINED, UNSEEN
from export.guard.bypass import attempts
from export.guard.choose import choose
from export.guard.figures import confusion, seeds_goal, wilson
from export.guard.sources import PARTS, Labelled, part_of


@pytest.mark.parametrize(
    ("wrong", "of", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1)],
)
def test_wilson(wrong: int, of: int, low: float, high: float) -> None:
    """Against tables of the score interval."""
    assert wilson(wrong, of) == pytest.approx((low, high), abs=1e-4)


SOURCES = ("hate", "offensive", "chats", "ads")
TEXTS = [Labelled(source, source) for source in SOURCES]


def test_confusion_counts_every_text_once() -> None:
    found = confusion(TEXTS, [True, False, True, False])
    assert [found[name] for name in ("TP", "FN", "FP", "TN")] == [1, 1, 1, 1]
    assert found["sample_size"] == 4
    assert found["wrong_by_source"]["offensive"]["rate"] == 1
    assert "prompts" not in found["wrong_by_source"]


def test_the_seeds_goal_counts_what_lies_at_or_below_the_threshold() -> None:
    assert seeds_goal(TEXTS, [0.9, 0.2, 0.3, 0.1])["fn_rate"] == 0.5


def test_thresholds_are_the_lowest_that_keep_false_alarms_small() -> None:
    scores = {"chats": [0.1] * 999 + [0.62], "ads": [0.01] * 300, "neither": [0.9] * 5 + [0.1] * 95}
    found = choose(scores)
    assert found["ad"] == found["user"] == pytest.approx(0.105)
    assert found["reply"] == pytest.approx(0.905)
    assert choose({"chats": [1.0]})["ad"] == pytest.approx(0.995)


def test_the_split_goes_by_the_normal_form() -> None:
    assert part_of(normal("He\u200bllo  WORLD")) == part_of("hello world")
    found = [part_of(f"text {n}") for n in range(2_000)]
    assert [found.count(part) // 100 for part in PARTS] == pytest.approx([14, 3, 3], abs=1)


@pytest.mark.parametrize("attack", sorted(TRAINED | UNSEEN))
def test_attacks_change_texts_and_nothing_without_their_seed(attack: str) -> None:
    text = "Some ordinary sentence about sitting together"
    made = [(TRAINED | UNSEEN)[attack](text, random.Random(3)) for _ in range(2)]
    assert made[0] == made[1] != text


def test_the_suite_has_200_attempts() -> None:
    tried = attempts()
    assert len(tried) == 200
    assert tried == attempts()
    assert {one.group for one in tried} == {"injection", "pressure", "self_harm", "abuse"}
