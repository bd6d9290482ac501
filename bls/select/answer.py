# SPDX-License-Identifier: Apache-2.0
"""What `select` is asked and what it answers, as JSON in `REQUEST` and `CHOSEN`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bls.limits import LIMITS
from bls.request import Identifier, Name, Strict


class SelectRequest(Strict):
    """One reply's question.

    Attributes:
        ctx_id: seeds exploration and the draw of lambda: the same id, the same answer.
        conv_id: whose frequency caps count.
        k: creatives wanted, one an advertiser.
        excluded: categories that may not appear here; `*` is all.
        shown: None asks; otherwise these msg_ids of the answer to this request_id got a row: they
            are counted and logged, and the answer is empty.
    """

    ctx_id: Identifier
    conv_id: Identifier
    request_id: Identifier
    k: Annotated[int, Field(ge=1, le=LIMITS.bidders)] = LIMITS.selected
    excluded: tuple[str, ...] = ()
    shown: tuple[str, ...] | None = None


class Chosen(Strict):
    """One creative, in the order of `rank`.

    Attributes:
        sim: cosine of context and creative, [-1, 1].
        val: a CPM + b CPC, scaled to [0, 1].
        score: lambda_sem sim + lambda_val val.
        explored: drawn at random instead of by score.
        bid, rate: of its campaign: opening weight per token, and value of a response in weight
            units per `micros_per_weight` (`bls.campaigns.Campaign`).
    """

    rank: int
    msg_id: str
    version: int
    campaign_id: str
    advertiser: Name
    brand: str
    category: str
    text: str
    sim: float
    val: float
    score: float
    explored: bool
    bid: float
    rate_micros: int


class SelectAnswer(Strict):
    """`chosen` may be empty: nothing fits, or nothing may be shown.

    Attributes:
        lambda_sem: the bucket this reply was drawn into.
        lambda_version: of `/mro/lambda`; 0 for the built-in weights.
        index: version of the index that answered.
        axes: `SERVED` of the encoder whose vectors the index holds.
        considered, gated: creatives scored, and how many the gates took out.
    """

    chosen: tuple[Chosen, ...]
    lambda_sem: float
    lambda_version: int
    index: str
    axes: int
    considered: int
    gated: int


NOTHING = SelectAnswer(
    chosen=(), lambda_sem=0.0, lambda_version=0, index="", axes=0, considered=0, gated=0
)
"""To a confirmation."""
