# SPDX-License-Identifier: Apache-2.0
"""Small tables for the lake's tests."""

from __future__ import annotations

import polars as pl


def rows(first: int, count: int = 4, days: int = 2) -> pl.DataFrame:
    """Numbered rows, day after day in turn."""
    numbers = range(first, first + count)
    return pl.DataFrame(
        {
            "event_id": [f"e{n}" for n in numbers],
            "conv_id": [f"conversation-{n}" for n in numbers],
            "seq": list(numbers),
            "lines": [[{"advertiser": "acme", "row": n}] for n in numbers],
            "raw": [bytes([n % 256]) for n in numbers],
            "dt": [f"2026-11-{18 + n % days}" for n in numbers],
        },
        schema_overrides={"seq": pl.Int64},
    )
