# SPDX-License-Identifier: Apache-2.0
"""The shipped graph on texts it has not seen: alone, and together with the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bls.contracts import Use, Verdict
from bls.guard.guard import WINDOWS
from bls.guard.normal import normal
from bls.guard.rules import built_in_rules
from bls.guard.ruling import Ruling
from bls.policy.onnx_classifier import OnnxClassifier
from export.guard.figures import confusion, seeds_goal, wilson
from export.guard.sources import Labelled

METRICS = "policy_metrics.json"


def score(folder: Path, texts: Sequence[Labelled]) -> list[float]:
    """As the guard scores them."""
    classifier = OnnxClassifier(folder)
    return [max(classifier.windows(normal(one.text), WINDOWS)) for one in texts]


def report(
    texts: Sequence[Labelled], scores: Sequence[float], thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """For `policy_metrics.json`; at the top the guard as a whole on users' texts."""
    rules = built_in_rules()
    found: dict[str, Any] = {"split": "held out"}
    everything = list(zip(texts, scores, strict=True))
    for use in (Use.USER, Use.AD):
        limit = thresholds[use.name.lower()]
        pairs = [pair for pair in everything if use is Use.USER or pair[0].source != "prompts"]
        texts, scores = [one for one, _ in pairs], [value for _, value in pairs]
        rulings = [rules.judge(one.text, use) for one in texts]
        alone = [value >= limit for value in scores]
        by_rules = [ruling.verdict >= Verdict.FLAGGED for ruling in rulings]
        both = [a or b for a, b in zip(alone, by_rules, strict=True)]
        whole = confusion(texts, both)
        if use is Use.USER:
            found |= {name: whole[name] for name in ("FP", "FN", "TP", "TN", "sample_size")}
            found["no_ad_by_source"] = _without_ads(texts, rulings)
        found[use.name.lower()] = {
            "threshold": limit,
            "classifier": confusion(texts, alone),
            "rules": confusion(texts, by_rules),
            "rules_and_classifier": whole,
        }
    goal = seeds_goal([one for one, _ in everything], [value for _, value in everything])
    return found | {"classifier_at_seeds_fp": dict(goal)}


def _without_ads(texts: Sequence[Labelled], rulings: Sequence[Ruling]) -> dict[str, Any]:
    """How often a rule keeps ads away from texts where nothing is wrong."""
    found = {}
    for source in ("chats", "prompts", "neither"):
        said = [
            ruling.verdict is Verdict.NO_AD
            for one, ruling in zip(texts, rulings, strict=True)
            if one.source == source
        ]
        low, high = wilson(sum(said), len(said))
        found[source] = {"said": sum(said), "of": len(said), "low": low, "high": high}
    return found
