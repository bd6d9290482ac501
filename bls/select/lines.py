# SPDX-License-Identifier: Apache-2.0
"""`mro.select`: a line for every chosen creative that got a row, for the topic of that name."""

from __future__ import annotations

from bls.jsonlog import Fields
from bls.select.answer import SelectAnswer, SelectRequest

STREAM = "mro.select"
_OF_CHOSEN = {"msg_id", "advertiser", "sim", "val", "score", "explored", "rank"}
_VERSION = 1


def lines(request: SelectRequest, answer: SelectAnswer, ts: float) -> list[tuple[str, Fields]]:
    """(stream, fields); `ts` in Unix seconds."""
    place = {
        "v": _VERSION,
        "ts": ts,
        "conv_id": request.conv_id,
        "request_id": request.request_id,
        "ctx_id": request.ctx_id,
        "lambda_sem": answer.lambda_sem,
    }
    return [(STREAM, place | one.model_dump(include=_OF_CHOSEN)) for one in answer.chosen]
