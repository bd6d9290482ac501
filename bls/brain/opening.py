# SPDX-License-Identifier: Apache-2.0
"""A brain for a reply: its ads valued, its purses opened, before the first token."""

from __future__ import annotations

from collections.abc import Callable

from bls.brain.brain import Brain
from bls.brain.budget.reconcile import reply_key
from bls.brain.services import BrainServices
from bls.brain.valuer import Values
from bls.errors import SkynetError
from bls.prelude.prelude import Prelude
from bls.reply.draw import conversation
from bls.request import ReplyRequest


def open_brain(
    request: ReplyRequest,
    prelude: Prelude,
    services: BrainServices,
    score: Callable[[], float | None] = lambda: None,
) -> Brain:
    """Never fails: ads nobody can value get cautious bids, budgets nobody can read get none.

    Args:
        score: f(tau) of the chat's shop session now, None when there is none.
    """
    seats = prelude.seats
    values = _values(request, prelude, services)
    return Brain(
        services=services,
        conv_id=request.conv_id,
        request_id=request.request_id,
        w_ref=request.auction.w_ref,
        rule=request.auction.rule,
        seats=seats,
        purses=services.purses.open(reply_key(request.conv_id, request.request_id), seats),
        values=values,
        score=score,
    )


def _values(request: ReplyRequest, prelude: Prelude, services: BrainServices) -> Values | None:
    if not any(seat.controlled for seat in prelude.seats):
        return None
    key = conversation(request.conv_id)
    try:
        if prelude.context is None:
            raise SkynetError("no_context", "Nobody could say what the chat is about.", 503)
        return services.valuer.values(prelude.context.vec, prelude.seats, key)
    except SkynetError:
        with services.stats.lock:
            services.stats.unvalued += 1
        return None
