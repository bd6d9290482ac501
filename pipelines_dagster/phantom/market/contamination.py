# SPDX-License-Identifier: Apache-2.0
"""The contamination generator G(alpha): agents added to a clean set until they are a share of it.

Source: PHANTOM's model, "Contamination generator"; operator guide 9. Acts are sampled from the
agent kernel, items by the clean set's demand proxy (what people want is what agents are sent for).
Times are drawn from a law of our own and teach nothing: whoever learns from times must not learn
from these sessions, and their origin says so.

Rounding: the fewest added sessions k with k / (n + k) >= alpha, computed in rationals; so the share
is never below alpha and less than 1 / (n + k) above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from bls.errors import invalid
from bls.phantom.actions import NAMES, Category, omega
from bls.phantom.session import Session, SessionEvent
from pipelines_dagster.phantom.market.behaviour import AGENT, ON_ITEM, Behaviour, acts

ORIGIN = "contamination"
_GAP_MS = 900.0
"""Median time between two acts of an added session; their logarithm spreads by 0.4 (chosen)."""
_DWELL_MS = 60
_FINEST = 1_000_000


def added(clean: int, alpha: float) -> int:
    """How many sessions `contaminate` adds to `clean` of them. Raises `bad_alpha`."""
    if not 0 <= alpha < 1:
        raise invalid("bad_alpha", "Contamination is a share in [0, 1).", "alpha")
    share = Fraction(alpha).limit_denominator(_FINEST)
    return ceil(share * clean / (1 - share)) if share < 1 else 0


def contaminate(
    clean: Sequence[Session],
    alpha: float,
    behaviour: Behaviour,
    *,
    seed: int,
    visits: float = 18.0,
) -> list[Session]:
    """The clean sessions, as they are and in their order, then the added ones.

    Args:
        clean: sessions of one mode, none of them known to be an agent's.
        alpha: wanted share of agents, in [0, 1).
        visits: mean number of acts of an added session (Poisson, at least 2).

    Raises:
        SkynetError: `bad_alpha`; `not_clean` for a session labelled or driven as an agent, several
            modes, or no session at all where some are to be added.
    """
    count = added(len(clean), alpha)
    if any(each.label == "agent" or each.actor == "agent" for each in clean):
        raise invalid("not_clean", "The clean set has a session of an agent.")
    if len({each.mode for each in clean}) > 1:
        raise invalid("not_clean", "The clean set has sessions of several modes.")
    if not count:
        return list(clean)
    rng = np.random.default_rng((seed, 0xA6E27))
    found = acts(behaviour, AGENT, np.maximum(2, rng.poisson(visits, count)), rng)
    items, law = _wanted(clean)
    chosen = rng.choice(len(items), found.shape, p=law)
    gaps = np.exp(rng.normal(np.log(_GAP_MS), 0.4, found.shape)).astype(np.int64) + 1
    starts = rng.choice([each.start_ms for each in clean], count)
    taken = {each.sid for each in clean}
    names = (
        sid for number in range(2 * count + len(clean)) if (sid := _sid(seed, number)) not in taken
    )
    times = starts[:, None] + np.cumsum(gaps, axis=1)
    return list(clean) + [
        _session(sid, clean[0], found[one], [items[place] for place in chosen[one]], times[one])
        for one, sid in zip(range(count), names, strict=False)
    ]


def share(sessions: Sequence[Session]) -> float:
    """Share of sessions that are an agent's or imitate one; 0 of none."""
    agents = sum(each.label == "agent" or each.actor == "agent" for each in sessions)
    return agents / len(sessions) if sessions else 0.0


def _wanted(clean: Sequence[Session]) -> tuple[list[str], NDArray[np.float64]]:
    """Items of the clean set, sorted, and their normalised demand proxy; one empty item where
    nobody acted on any."""
    weights: dict[str, float] = {}
    for session in clean:
        for event in session.events:
            if event.item:
                weights[event.item] = weights.get(event.item, 0.0) + omega(event.action)
    items = sorted(weights) or [""]
    law = np.array([weights.get(item, 1.0) for item in items])
    return items, law / law.sum()


def _session(
    sid: str, like: Session, found: NDArray[np.int8], items: list[str], times: NDArray[np.int64]
) -> Session:
    events = tuple(
        SessionEvent(
            NAMES[act],
            items[place] if ON_ITEM[act] else "",
            int(times[place]),
            _DWELL_MS if omega(NAMES[act]) == Category.DWELL.value else 0,
        )
        for place, act in enumerate(found.tolist())
        if act >= 0
    )
    return Session(
        sid, like.mode, events[0].ts_ms, events, label="synthetic", origin=ORIGIN, actor="agent"
    )


def _sid(seed: int, number: int) -> str:
    return f"contamination_{seed}_{number}"
