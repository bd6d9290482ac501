# SPDX-License-Identifier: Apache-2.0
"""`make spec-coverage`: per seed, covered and open cases, from the last full test run."""

from __future__ import annotations

import json
import sys

from tests.spec_plugin import RESULTS, load_cases


def main() -> int:
    """Print the table; 1 when a covering test failed."""
    results = json.loads(RESULTS.read_text())
    total = covered_total = 0
    broken = []
    for prefix, cases in load_cases().items():
        names = [f"{prefix}-{name}" for name in cases]
        broken += [name for name in names if results.get(name, {}).get("failed")]
        covered = [
            n for n in names if results.get(n, {}).get("passed") and not results[n]["failed"]
        ]
        missing = [name.partition("-")[2] for name in names if name not in covered]
        total += len(names)
        covered_total += len(covered)
        print(f"{prefix:4} {len(covered):3} of {len(names)} covered; open: {' '.join(missing)}")
        for name in covered:
            title = cases[name.partition("-")[2]]
            print(f"       {name}  {title}  ({len(results[name]['passed'])} tests)")
    print(f"all  {covered_total} of {total} covered")
    if broken:
        print(f"failing: {' '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
