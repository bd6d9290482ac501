# SPDX-License-Identifier: Apache-2.0
"""Whether a record proves its token: the largest blend, or the draw that its seed gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bls.settlement.bounds import (
    NORMALISER_REL,
    PRECISE_REL,
    TIE_REL,
    Bounds,
    Verdict,
)
from bls.settlement.events import F64, Bool, Events
from bls.settlement.philox import uniforms

Verdicts = NDArray[np.int64]


def winners(events: Events, bounds: Bounds) -> Verdicts:
    """[n] verdicts on `token`. Where the output filter put another token there is no claim."""
    verdict = np.where(events.sampled, draws(events, bounds), largest(events, bounds))
    verdict = np.where(bounds.sound, verdict, Verdict.REFUTED)
    return np.where(events.policy, Verdict.PROVEN, verdict)


def largest(events: Events, bounds: Bounds) -> Verdicts:
    """Argmax: the token's blend against the best rival inside the union and the bound outside.

    Near ties were decided in float64, so the record decides them at that precision too: among
    blends equal within TIE_REL the lowest id wins.
    """
    blend, token = bounds.blend, events.token[:, None]
    outside = (events.weights * bounds.tail).sum(axis=1)
    error = np.where(events.near_tie, PRECISE_REL, NORMALISER_REL)
    at = bounds.at_token(blend)
    low, high = (at * (1 - error))[:, None], (at * (1 + error))[:, None]
    tied = events.near_tie[:, None] & (np.abs(blend - at[:, None]) <= TIE_REL / 2 * at[:, None])
    rival = (events.ids != token) & (events.ids >= 0)
    beaten = (blend < low) | (tied & (events.ids > token))
    proven = bounds.inside & (beaten | ~rival).all(axis=1) & (outside < at * (1 - error))
    better = (blend > high) | (tied & (events.ids < token))
    refuted = bounds.inside & (better & rival).any(axis=1)
    refuted |= ~bounds.inside & (blend.max(axis=1) > outside * (1 + error))
    return _verdicts(proven, refuted)


def draws(events: Events, bounds: Bounds) -> Verdicts:
    """Sampling: u_token must fall into the token's part of its row's cumulative sum.

    The row follows from the weights alone. In it, the sum below the token is known on the union;
    what lies outside, in all 1 - sum_U P, may lie below it or above. So a draw is proven if it
    holds wherever the rest lies, refuted if it holds nowhere.
    """
    u_row, u_token = uniforms(events.draw)
    row = drawn_rows(events.weights, u_row)
    p = np.take_along_axis(bounds.p, row[:, None, None], axis=2)[:, :, 0]
    below = np.where(events.ids < events.token[:, None], p, 0.0).sum(axis=1)
    rest = np.maximum(0.0, 1 - p.sum(axis=1)) + NORMALISER_REL
    own = np.where(bounds.inside, bounds.at_token(p), 0.0)
    proven = bounds.inside & (below + rest <= u_token) & (u_token < below + own - NORMALISER_REL)
    refuted = (u_token < below - NORMALISER_REL) | (u_token > below + rest + own)
    return _verdicts(proven, refuted)


def drawn_rows(weights: F64, u_row: F64) -> NDArray[np.int64]:
    """[n]: first row with a weight whose running sum exceeds u W, else the last such row."""
    running = weights.cumsum(axis=1)
    bids = weights > 0
    hit = bids & (running > (u_row * running[:, -1])[:, None])
    last = weights.shape[1] - 1 - bids[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(hit.any(axis=1), hit.argmax(axis=1), last))


def reference_tokens(events: Events) -> Verdicts:
    """Argmax: `ref_token` is row 0's best logit, lowest id first; always in the union."""
    logits = np.where(events.ids >= 0, events.logits[:, :, 0], -np.inf)
    best = np.take_along_axis(events.ids, logits.argmax(axis=1)[:, None], axis=1)[:, 0]
    claim = ~events.sampled & ~events.policy
    return np.where(~claim | (best == events.ref_token), Verdict.PROVEN, Verdict.REFUTED)


def _verdicts(proven: Bool, refuted: Bool) -> Verdicts:
    """Refuted over proven over undecided."""
    verdict = np.where(proven, Verdict.PROVEN, Verdict.UNDECIDED)
    return np.where(refuted, Verdict.REFUTED, verdict)
