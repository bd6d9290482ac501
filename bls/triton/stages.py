# SPDX-License-Identifier: Apache-2.0
"""`Stages` over BLS: `policy_guard`, `condense`, `context_encoder`, `select`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import triton_python_backend_utils as pb_utils

from bls.condense.condensed import Condensed
from bls.contracts import CONDENSE, CONTEXT_ENCODER, POLICY_GUARD, SELECT, Use, Verdict
from bls.guard.ruling import Ruling
from bls.prelude.stages import Context
from bls.select.answer import SelectAnswer, SelectRequest
from bls.triton.ask import ask, texts


class TritonStages:
    """Blocks its caller's thread while a model works."""

    def guard(self, said: Sequence[str], use: Use) -> list[Ruling]:
        uses = np.full((len(said), 1), use, np.int32)
        out = ask(POLICY_GUARD, pb_utils.Tensor("TEXT", texts(said)), pb_utils.Tensor("USE", uses))
        columns = (out[name].ravel().tolist() for name in ("VERDICT", "REASON", "SCORE"))
        return [
            Ruling(Verdict(verdict), reason.decode(), score)
            for verdict, reason, score in zip(*columns, strict=True)
        ]

    def condense(self, head: Sequence[int], salt: int) -> Condensed:
        out = ask(
            CONDENSE,
            pb_utils.Tensor("IDS", np.array(head, np.int32)),
            pb_utils.Tensor("SALT", np.array([salt], np.uint64)),
        )
        ends = np.cumsum(out["LENGTHS"])
        parts = np.split(out["SUMMARY"], ends[:-1]) if len(ends) else []
        return Condensed(tuple(tuple(p.tolist()) for p in parts), int(out["WINDOWS"][0]))

    def encode(self, text: str, axes: int = 0) -> Context:
        out = ask(
            CONTEXT_ENCODER,
            pb_utils.Tensor("TEXT", texts([text])),
            pb_utils.Tensor("AXES", np.array([[axes]], np.uint64)),
        )
        return Context(out["CTX"][0].copy(), int(out["SERVED"][0, 0]))

    def select(self, request: SelectRequest, context: Context) -> SelectAnswer:
        out = ask(
            SELECT,
            pb_utils.Tensor("REQUEST", np.array([request.model_dump_json().encode()], np.object_)),
            pb_utils.Tensor("CTX", context.vec),
            pb_utils.Tensor("AXES", np.array([context.axes], np.uint64)),
        )
        return SelectAnswer.model_validate_json(out["CHOSEN"][0])
