# SPDX-License-Identifier: Apache-2.0
"""`Decoder` over BLS: one call to the `decode_step` ensemble per token."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from bls.contracts import DECODE_STEP, LLM_STEP, PAD, Op
from bls.errors import SkynetError
from bls.reply.decoder import Weights
from bls.reply.draw import DrawKey
from bls.reply.outcome import Outcome

_OUTPUTS = [tensor.name for tensor in DECODE_STEP.outputs]
_DEFAULT_TIMEOUT_US = 120_000_000


class TritonDecoder:
    """One conversation of `llm_step`.

    Args:
        conv: its 64-bit number there, unlike any other live one.
        salt: isolates prefix reuse.
    """

    def __init__(self, conv: int, salt: int, temperature: float, draw: DrawKey) -> None:
        self._conv = conv
        self._salt = salt
        self._temperature = temperature
        self._draw = draw
        self._opened = False
        self._closed = False
        self._weights: Weights = np.empty(0, np.float32)
        self._prices: list[pb_utils.Tensor] = []
        self._constant: dict[tuple[Op, int], list[pb_utils.Tensor]] = {}

    def prefill(self, rows: tuple[tuple[int, ...], ...], weights: Weights) -> Outcome:
        ids = np.full((len(rows), max(map(len, rows))), PAD, np.int32)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
        self._opened = True
        return self._decode(Op.PREFILL, ids, weights, 0)

    def step(self, token: int, weights: Weights, index: int) -> Outcome:
        ids = np.full((len(weights), 1), token, np.int32)
        return self._decode(Op.STEP, ids, weights, index)

    def end(self) -> None:
        """Free the rows; nothing is decoded after. The engine's idle timeout is the second line."""
        self._closed = True
        if self._opened:
            self._free()

    def reopen(self) -> None:
        """Free the rows of a lost worker so that the same conversation can be replayed."""
        self._free()

    def _free(self) -> None:
        request = pb_utils.InferenceRequest(
            model_name=LLM_STEP.name,
            requested_output_names=["LOGITS"],
            inputs=self._head(Op.END, np.zeros((1, 1), np.int32)),
        )
        request.exec()

    def _head(self, op: Op, ids: NDArray[np.int32]) -> list[pb_utils.Tensor]:
        """Inputs of `llm_step`; those that never change are made once per number of rows."""
        rows = ids.shape[0]
        if (op, rows) not in self._constant:
            shape = (rows, 1)
            self._constant[op, rows] = [
                pb_utils.Tensor("CONV", np.full(shape, self._conv, np.uint64)),
                pb_utils.Tensor("OP", np.full(shape, op, np.int32)),
                pb_utils.Tensor("SALT", np.full(shape, self._salt, np.uint64)),
            ]
        return [pb_utils.Tensor("IDS", ids), *self._constant[op, rows]]

    def _terms(self, weights: Weights, index: int) -> list[pb_utils.Tensor]:
        """Inputs of `auction`; the weights are written again only when a bid has changed."""
        shape = (len(weights), 1)
        if not np.array_equal(weights, self._weights):
            self._weights = weights
            self._prices = [
                pb_utils.Tensor("WEIGHT", weights.reshape(shape)),
                pb_utils.Tensor("TEMPERATURE", np.full(shape, self._temperature, np.float32)),
            ]
        return [*self._prices, pb_utils.Tensor("DRAW", np.tile(self._draw.at(index), shape))]

    def _decode(self, op: Op, ids: NDArray[np.int32], weights: Weights, index: int) -> Outcome:
        if self._closed:
            raise SkynetError("cancelled", "The reply was ended.", 499)
        request = pb_utils.InferenceRequest(
            model_name=DECODE_STEP.name,
            requested_output_names=_OUTPUTS,
            inputs=[*self._head(op, ids), *self._terms(weights, index)],
            timeout=_DEFAULT_TIMEOUT_US,
        )
        response = request.exec()
        if response.has_error():
            raise SkynetError.from_wire(response.error().message())
        out = {t.name(): t.as_numpy() for t in response.output_tensors()}
        return Outcome(
            token=int(out["TOKEN"][0, 0]),
            ref_token=int(out["REF_TOKEN"][0, 0]),
            margin=float(out["MARGIN"][0, 0]),
            near_tie=bool(out["NEAR_TIE"][0, 0]),
            p_token=out["P_TOKEN"][:, 0].copy(),
            pay=out["PAY"][:, 0].copy(),
            critical_bid=out["CRITICAL_BID"][:, 0].copy(),
            w_minus=out["W_MINUS"][:, 0].copy(),
            row_status=out["ROW_STATUS"][:, 0].copy(),
            log_z=out["LOG_Z"][:, 0].copy(),
            top_id=out["TOP_ID"].copy(),
            top_logit=out["TOP_LOGIT"].copy(),
        )
