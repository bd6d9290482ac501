# SPDX-License-Identifier: Apache-2.0
"""What is told of a reply as a whole: at its start a header, at its end a receipt."""

from __future__ import annotations

from bls.reply.receipt import CURRENCY
from bls.reply.reply import Reply


def header(reply: Reply) -> dict[str, object]:
    """What the START event says."""
    return {
        "conv_id": reply.request.conv_id,
        "request_id": reply.request.request_id,
        "model": reply.services.model,
        **_choice(reply),
        "rows": ["reference", *(seat.advertiser for seat in reply.seats)],
        "bids": [reply.request.auction.w_ref, *(seat.bid for seat in reply.seats)],
        **reply.prelude.header(),
        **_session(reply),
    }


def receipt(reply: Reply) -> dict[str, object]:
    """What the END event says."""
    account = reply.account
    return {
        "request_id": reply.request.request_id,
        "conv_id": reply.request.conv_id,
        "model": reply.services.model,
        "finish_reason": reply.finish_reason,
        "prompt_tokens": reply.prompt.prompt_tokens,
        "completion_tokens": account.tokens,
        "sponsored_tokens": account.sponsored,
        "near_tie_tokens": account.near_ties,
        "policy_tokens": reply.policy.replaced,
        **_choice(reply),
        "charge_rule": account.rule,
        "currency": CURRENCY,
        "micros_per_weight": account.micros_per_weight,
        "total_micros": account.total_micros,
        "lines": account.lines(),
        **_traffic(reply),
        "disclosure": account.disclosure(),
        "timings": {
            "ttft_ms": round((reply.first_token_s or 0.0) * 1e3, 3),
            "total_ms": round(reply.elapsed_s * 1e3, 3),
        },
    }


def _choice(reply: Reply) -> dict[str, object]:
    """How tokens are chosen; with the seed a drawn reply can be drawn again."""
    mode = reply.request.auction.mode
    return {"mode": mode, "seed": reply.draw.seed} if mode == "sample" else {"mode": mode}


def _session(reply: Reply) -> dict[str, object]:
    """What the gateway needs to judge clicks by; nothing without a shop session."""
    if reply.request.session_id is None:
        return {}
    return {"traffic": {"invalid_at": reply.dials().invalid_at}}


def _traffic(reply: Reply) -> dict[str, object]:
    """The receipt's part about its shop session; nothing without one."""
    if reply.request.session_id is None:
        return {}
    refunds = reply.refunds
    lines = [{"row": n, "refund_micros": r} for n, r in enumerate(refunds, start=1) if r]
    return {
        "refunds": lines,
        "refunded_micros": sum(refunds),
        "net_micros": sum(reply.net),
        "traffic": reply.ruling.as_json(),
    }
