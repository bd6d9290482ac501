# SPDX-License-Identifier: Apache-2.0
"""Small made-up sessions of two actors with two drivers each: enough to train and test on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bls.phantom.session import Quote, Session, SessionEvent

ITEMS = [f"i{at:02d}" for at in range(12)]
ORDER = {item: at for at, item in enumerate(ITEMS)}
_MIXES: dict[str, tuple[str, dict[str, float], int]] = {
    "crawler": ("agent", {"view_item": 6, "page_view": 2, "sort": 1, "filter_price": 1}, 300),
    "planner": ("agent", {"search": 2, "filter_date": 2, "view_item": 3, "add_item": 1}, 700),
    "browser": (
        "human",
        {"hover_title": 3, "view_item": 2, "hover_paragraph": 2, "search": 1},
        2500,
    ),
    "dreamer": (
        "human",
        {"page_view": 3, "hover_link": 2, "learn_more": 1, "hover_title": 1},
        4000,
    ),
}


def session(driver: str, seed: int) -> Session:
    """One visit of 6 to 40 acts."""
    actor, mix, pace_ms = _MIXES[driver]
    rng = np.random.default_rng([seed, len(driver)])
    names, chance = list(mix), np.array(list(mix.values()))
    now, item = 1_000_000, int(rng.integers(12))
    events, quotes = [], []
    for name in rng.choice(names, int(rng.integers(6, 41)), p=chance / chance.sum()):
        now += int(rng.exponential(pace_ms)) + 1
        if name == "view_item":
            item = (item + (1 if driver == "crawler" else int(rng.integers(12)))) % 12
            quotes.append(Quote(ITEMS[item], 1_000_000 * int(rng.integers(50, 90)), now))
        dwell = int(rng.exponential(pace_ms)) if str(name).startswith("hover") else 0
        events.append(SessionEvent(str(name), ITEMS[item], now, dwell))
    return Session(
        f"{driver}-{seed}",
        "hotel",
        events[0].ts_ms,
        tuple(events),
        tuple(quotes),
        label="synthetic",
        origin=driver,
        actor=actor,  # type: ignore[arg-type]
    )


def sessions(each: int = 30, drivers: Sequence[str] = tuple(_MIXES)) -> list[Session]:
    """`each` of every driver."""
    return [session(driver, seed) for driver in drivers for seed in range(each)]
