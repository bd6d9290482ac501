# SPDX-License-Identifier: Apache-2.0
"""What the filter says of texts in a file, one a line: `python -m bls.policy.evaluate FILE`.

Prints one JSON object: how many texts, how many were refused and why, and how long one took. With
SKYNET_POLICY_MODEL and SKYNET_POLICY_RULES as the server would use them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bls.policy.filter import PolicyFilter, load_filter
from bls.settings import load_settings


def evaluate(policy: PolicyFilter, texts: Iterable[str]) -> dict[str, object]:
    """Judge whole texts. Times are microseconds, medians and 95th percentiles of wall time."""
    reasons: Counter[str] = Counter()
    times: list[float] = []
    for text in texts:
        began = time.perf_counter()
        reasons[policy.check(text, final=True).reason] += 1
        times.append((time.perf_counter() - began) * 1e6)
    times.sort()
    return {
        "texts": len(times),
        "refused": len(times) - reasons.pop("", 0),
        "reasons": dict(reasons),
        "p50_us": round(times[len(times) // 2], 1) if times else None,
        "p95_us": round(times[len(times) * 95 // 100], 1) if times else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bls.policy.evaluate", description=__doc__)
    parser.add_argument("file", type=Path, help="UTF-8 text, one text a line")
    file = parser.parse_args().file
    settings = load_settings()
    policy = load_filter(settings.policy_model, settings.policy_rules)
    with file.open(encoding="utf-8") as lines:
        print(json.dumps(evaluate(policy, lines)))


if __name__ == "__main__":
    main()
