# SPDX-License-Identifier: Apache-2.0
"""What the classifier reads of a session, in blocks. `graph.py` computes the same in ONNX.

- `divergence`: to every sub-kernel, Delta_H, Delta_A and the gap;
- `acts`: the first act, and the square root of each act's share;
- `pairs`: the square root of each transition's share;
- `categories`: first act and `pairs`, of the four categories of acts. Which act of its category a
  known agent happens to use says little about an unknown one; that it narrows, dwells or buys does;
- `stats`: `SessionStat` without what only says how long a session is (events, span): counts become
  rates, so that no driver is known by its length.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bls.contracts import SessionStat
from bls.phantom.actions import ACTIONS, Category
from bls.phantom.divergence import divergences
from bls.phantom.kernels import F64, FIRST, STATES
from export.agent_score.sessions import F32

BLOCKS = ("divergence", "acts", "pairs", "categories", "stats")
CATEGORIES = len(Category)
MEMBERS = np.array([[act is one for one in Category] for act in ACTIONS.values()], np.float32)
"""[14, 4]: 1 where an act is of a category."""
TIMING = (
    SessionStat.GAP_MEAN,
    SessionStat.GAP_SPREAD,
    SessionStat.DWELL_MEAN,
    SessionStat.DWELL_SPREAD,
)
PLAIN = (
    SessionStat.REVISITS,
    *TIMING,
    SessionStat.DWELLS,
    SessionStat.QUOTED,
    SessionStat.ASCENDING,
    SessionStat.SEQUENTIAL,
    SessionStat.CART,
    SessionStat.FILTERS,
    SessionStat.ENTROPY,
)
"""Taken as they are; then items an event, and quotes an event as a difference of logarithms."""


def deltas(counts: F32, human: F64, agent: F64, smoothing: float) -> F64:
    """[n, k_h + k_a + 3]: to each sub-kernel, then Delta_H, Delta_A, gap."""
    each = divergences(counts, np.concatenate([human, agent]), smoothing)
    near = [each[:, : len(human)].min(axis=1), each[:, len(human) :].min(axis=1)]
    return np.column_stack([each, *near, near[0] - near[1]])


def acts(counts: F32) -> F64:
    """[n, 28]."""
    shares = counts.sum(axis=1) / _events(counts)
    found: F64 = np.concatenate([counts[:, FIRST], np.sqrt(shares)], axis=1).astype(np.float64)
    return found


def pairs(counts: F32) -> F64:
    """[n, 196]."""
    return _roots(counts[:, :STATES].reshape(len(counts), -1))


def categories(counts: F32) -> F64:
    """[n, 20]."""
    moved = (MEMBERS.T @ counts[:, :STATES] @ MEMBERS).reshape(len(counts), -1)
    first: F64 = (counts[:, FIRST] @ MEMBERS).astype(np.float64)
    return np.concatenate([first, _roots(moved)], axis=1)


def stats(rows: F32) -> F64:
    """[n, 14]."""
    events = rows[:, SessionStat.EVENTS]
    items = rows[:, SessionStat.ITEMS] / np.maximum(events, 1)
    quotes = rows[:, SessionStat.QUOTES] - np.log1p(events)
    return np.column_stack([rows[:, list(PLAIN)], items, quotes]).astype(np.float64)


def evidence(counts: F32, patience: float) -> NDArray[np.float64]:
    """How much of the classifier's word counts [n], 0 for a session of 0 or 1 acts, up to 1."""
    past = np.maximum(counts.sum(axis=(1, 2)) - 1, 0).astype(np.float64)
    found: F64 = past / (past + patience)
    return found


def joined(blocks: Iterable[str], parts: dict[str, F64]) -> F64:
    """The blocks that are asked for, side by side, always in the order of `BLOCKS`."""
    chosen = set(blocks)
    return np.concatenate([parts[name] for name in BLOCKS if name in chosen], axis=1)


def _roots(moved: F32) -> F64:
    """Square roots of the transitions' shares."""
    found: F64 = np.sqrt(moved / np.maximum(moved.sum(axis=1, keepdims=True), 1)).astype(np.float64)
    return found


def _events(counts: F32) -> NDArray[np.float32]:
    total: NDArray[np.float32] = np.maximum(counts.sum(axis=(1, 2)), 1)[:, None]
    return total
