# SPDX-License-Identifier: Apache-2.0
"""Counts of right and wrong decisions with their intervals: what `policy_metrics.json` holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from export.guard.sources import SOURCES, UNSAFE, Labelled

_Z = 1.959964


def wilson(wrong: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) of nothing."""
    if not of:
        return 0.0, 1.0
    share, square = wrong / of, _Z * _Z
    middle = share + square / (2 * of)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    low, high = ((middle + sign * half) / (1 + square / of) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def confusion(texts: Sequence[Labelled], unsafe: Sequence[bool]) -> dict[str, Any]:
    """TP, FN, FP, TN, the two rates with their intervals, and what went wrong in each source."""
    counts = dict.fromkeys(("TP", "FN", "FP", "TN"), 0)
    for one, said in zip(texts, unsafe, strict=True):
        counts[("TP" if said else "FN") if one.unsafe else ("FP" if said else "TN")] += 1
    rates = {
        "fp_rate": _rate(counts["FP"], counts["FP"] + counts["TN"]),
        "fn_rate": _rate(counts["FN"], counts["FN"] + counts["TP"]),
    }
    by_source = {source: _of(source, texts, unsafe) for source in SOURCES}
    return {
        **counts,
        "sample_size": len(texts),
        **rates,
        "wrong_by_source": {name: found for name, found in by_source.items() if found["of"]},
    }


def _of(source: str, texts: Sequence[Labelled], unsafe: Sequence[bool]) -> dict[str, Any]:
    said = [was for one, was in zip(texts, unsafe, strict=True) if one.source == source]
    return _rate(sum(was != (source in UNSAFE) for was in said), len(said))


def _rate(wrong: int, of: int) -> dict[str, Any]:
    low, high = wilson(wrong, of)
    share = wrong / of if of else math.nan
    return {
        "wrong": wrong,
        "of": of,
        "rate": None if math.isnan(share) else round(share, 6),
        "low": round(low, 6),
        "high": round(high, 6),
    }


def seeds_goal(
    texts: Sequence[Labelled], scores: Sequence[float], most: float = 0.001
) -> Mapping[str, float]:
    """The classifier's share of missed unsafe texts where false alarms are at most `most`."""
    safe = sorted((s for one, s in zip(texts, scores, strict=True) if not one.unsafe), reverse=True)
    unsafe = [s for one, s in zip(texts, scores, strict=True) if one.unsafe]
    allowed = math.floor(most * len(safe))
    threshold = safe[allowed] if allowed < len(safe) else 0.0
    missed = sum(score <= threshold for score in unsafe)
    return {"fp_most": most, "threshold": threshold, "fn_rate": missed / max(1, len(unsafe))}
