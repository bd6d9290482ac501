# SPDX-License-Identifier: Apache-2.0
"""The output filter's time per token: 10,000 windows, half of them with something to refuse.

Uses the classifier of SKYNET_POLICY_MODEL where one is set.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bls.policy.filter import PolicyFilter, load_filter
from bls.policy.window import WINDOW_CHARACTERS
from bls.settings import load_settings
from perf_analyzer_configs.bench.figures import Figure

COUNT = 10_000
GOAL_MS = 3.0
_NEW = 5
"""Characters of a token: what a window is judged for."""

_SENTENCES = (
    "Planning a weekend in the mountains sounds exciting.",
    "I can suggest some quiet hotels, e.g. Harbor Hotels, with rooms from $29 and free breakfast.",
    "The therapist from Scunthorpe, Essex, will assess the cocktail menu on 2024-12-31 at 10:30.",
    "Trains run every 20 minutes; the ride takes 1 h 45 min, about 12.50 (or 9.90 online).",
    "Ein Café in Zürich? Oui, ☕ 漢字 и Москва.",
    "Version 3.14159 is 1,234,567 times better than 192.168.100.1 @ 5%.",
)
_REFUSED = (
    "you stupid fuck", "go kill yourself", "n1gg3r", "f u c k", "jane.doe@gmail.com",
    "call 415-555-2671", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "f\u0430gg\u043et",
)  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """Seconds per text, and how many texts were refused."""

    seconds: list[float]
    refused: int

    def percentile_ms(self, share: float) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * share)] * 1e3


def texts(count: int = COUNT, seed: int = 0) -> list[str]:
    """Windows full to the brim; every other one ends with something to refuse."""
    source = random.Random(seed)
    made = []
    for number in range(count):
        words = " ".join(source.choices(_SENTENCES, k=8))
        ending = f" {source.choice(_REFUSED)}." if number % 2 else ""
        made.append((words + ending)[-WINDOW_CHARACTERS:])
    return made


def judge(
    policy: PolicyFilter,
    windows: Sequence[str],
    clock: Callable[[], float] = time.perf_counter,
) -> Timed:
    """Judge the last few characters of every window, as the reply loop does."""
    seconds, refused = [], 0
    for window in windows:
        began = clock()
        verdict = policy.check(window, len(window) - _NEW)
        seconds.append(clock() - began)
        refused += not verdict.safe
    return Timed(seconds, refused)


def latency() -> list[Figure]:
    """Milliseconds per token, in this process, on one core."""
    settings = load_settings()
    policy = load_filter(settings.policy_model, settings.policy_rules)
    timed = judge(policy, texts())
    p50, p95 = timed.percentile_ms(0.5), timed.percentile_ms(0.95)
    kind = "rules and classifier" if settings.policy_model else "rules only"
    detail = f"p50 {p50:.3f} ms; {timed.refused} of {COUNT} refused"
    return [Figure(f"output filter, {kind}, p95", p95, "ms/token", "<= 3", p95 <= GOAL_MS, detail)]
