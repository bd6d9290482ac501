# SPDX-License-Identifier: Apache-2.0
"""Preference pairs: of two messages in one context, the one with more clicks and the other.

The reward of a message is log(1 + clicks) (content_generation 2.2.2, "LoRA Fine-Tune"), so a pair
weighs log(1 + clicks of the chosen) - log(1 + clicks of the rejected). Pairs come from a JSONL file

    {"context": "...", "chosen": "...", "rejected": "...", "clicks": [12, 3]}

or from the market simulator: its creatives, its readers, buckets of `READERS` impressions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log1p
from pathlib import Path

import numpy as np

from export.errors import ExportError

_ASK = (
    "I am looking for a {}. What would you recommend?",
    "Can you help me choose a {}?",
    "My old one broke and I need a new {}. Any ideas?",
    "What should I know before I buy a {}?",
)
_NOISE = 0.5


@dataclass(frozen=True)
class Pair:
    """`clicks`: of the chosen and of the rejected message."""

    context: str
    chosen: str
    rejected: str
    clicks: tuple[float, float]

    @property
    def weight(self) -> float:
        """Difference of the rewards, > 0."""
        return log1p(self.clicks[0]) - log1p(self.clicks[1])


def read_pairs(path: Path) -> list[Pair]:
    """Raises `pairs_invalid`."""
    found = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            context, chosen, rejected = (str(raw[n]) for n in ("context", "chosen", "rejected"))
            more, fewer = (float(number) for number in raw["clicks"])
            if not more > fewer >= 0 or not (context and chosen and rejected):
                raise ValueError("the chosen message has more clicks")
            found.append(Pair(context, chosen, rejected, (more, fewer)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError("pairs_invalid", f"{path.name}: {type(error).__name__}") from None
    return found


def digest(pairs: Sequence[Pair]) -> str:
    """SHA-256 of the pairs in their order, hex."""
    whole = hashlib.sha256()
    for pair in pairs:
        whole.update(json.dumps(asdict(pair), sort_keys=True).encode() + b"\n")
    return whole.hexdigest()


def simulated_pairs(count: int, seed: int) -> list[Pair]:
    """`count` pairs of the market simulator: two creatives of one topic, shown to one context."""
    from pipelines_dagster.defs.market import creatives, readers, topics  # noqa: PLC0415

    rng = np.random.default_rng([seed, 64])
    vectors = topics.products()
    found: list[Pair] = []
    while len(found) < count:
        topic = int(rng.integers(len(topics.TOPICS)))
        wanted = int(rng.integers(len(topics.PRODUCTS[topic])))
        context = vectors[topic, wanted] + _NOISE * topics.unit(rng.standard_normal(128))
        drawn = [creatives.draw_text(str(rng.choice(creatives.BRANDS)), topic, rng) for _ in "ab"]
        cosine = np.array([float(topics.unit(context) @ vectors[topic, p]) for _, p in drawn])
        words = [creatives.read(text) for text, _ in drawn]
        curve = readers.curves(cosine, words, readers.Cosine())
        value = curve.value(np.array([one.tokens for one in words]))
        clicks = rng.poisson(readers.rate_of(value) + readers.agent_rate()).astype(float)
        if clicks[0] == clicks[1]:
            continue
        best = int(clicks.argmax())
        ask = str(rng.choice(_ASK)).format(topics.PRODUCTS[topic][wanted])
        found.append(
            Pair(ask, drawn[best][0], drawn[1 - best][0], (clicks[best], clicks[1 - best]))
        )
    return found
