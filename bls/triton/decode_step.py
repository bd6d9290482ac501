# SPDX-License-Identifier: Apache-2.0
"""`Decoder` over BLS: one call to an ensemble per token.

`decode_step` runs the language model beside predictor and controller. When the predictor fails, the
model's logits are already there: `decode_step_held` asks for them again, with the forecast that the
reply holds, so a reader waits a millisecond and not a token. `decode_step_fixed` is for tokens that
nobody has to be asked about: every bid is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from bls.brain.forecast.health import PREDICTOR_FAULTS, PredictorHealth
from bls.contracts import (
    DECODE_STEP,
    DECODE_STEP_FIXED,
    DECODE_STEP_HELD,
    LLM_STEP,
    PAD,
    ModelContract,
    Op,
)
from bls.errors import SkynetError
from bls.llm.adapter_names import without_missing
from bls.llm.admission import UNKNOWN_ADAPTER
from bls.reply.bids import Bids, Weights
from bls.reply.draw import DrawKey
from bls.reply.outcome import Outcome

_DEFAULT_TIMEOUT_US = 120_000_000
_NAMES = {
    graph.name: [tensor.name for tensor in graph.outputs]
    for graph in (DECODE_STEP, DECODE_STEP_HELD, DECODE_STEP_FIXED)
}
"""All of them, always: an ensemble of Triton 2.51 that is not asked for an output does not hand it
to its own next step either ("unexpected deadlock")."""


class TritonDecoder:
    """One conversation of `llm_step`.

    Args:
        conv: its 64-bit number there, unlike any other live one.
        salt: isolates prefix reuse.
        health: of the predictor, shared by all replies.
        adapters: of each row, 0 for none (`bls.llm.adapter_names`); None: no row has one. One that
            is not held any more is done without, for the whole reply; the others stay.
    """

    def __init__(
        self,
        conv: int,
        salt: int,
        temperature: float,
        draw: DrawKey,
        health: PredictorHealth,
        *,
        adapters: tuple[int, ...] | None = None,
    ) -> None:
        self._conv = conv
        self._salt = salt
        self._temperature = temperature
        self._draw = draw
        self._health = health
        self._adapters = adapters
        self._opened = False
        self._closed = False
        self._weights: Weights = np.empty(0, np.float32)
        self._bid: dict[str, list[pb_utils.Tensor]] = {}
        self._constant: dict[tuple[Op, int], list[pb_utils.Tensor]] = {}

    def prefill(self, rows: tuple[tuple[int, ...], ...], bids: Bids) -> Outcome:
        ids = np.full((len(rows), max(map(len, rows))), PAD, np.int32)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
        self._opened = True
        while True:  # each time an adapter less
            try:
                return self._decode(Op.PREFILL, ids, bids, 0)
            except SkynetError as fault:
                if fault.code != UNKNOWN_ADAPTER or self._adapters is None:
                    raise
                self._adapters = without_missing(self._adapters, fault.param)

    def step(self, token: int, bids: Bids, index: int) -> Outcome:
        ids = np.full((len(bids.weights), 1), token, np.int32)
        return self._decode(Op.STEP, ids, bids, index)

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

    def _decode(self, op: Op, ids: NDArray[np.int32], bids: Bids, index: int) -> Outcome:
        if self._closed:
            raise SkynetError("cancelled", "The reply was ended.", 499)
        if bids.control is None:
            return self._ask(DECODE_STEP_FIXED, self._head(op, ids), bids, index)
        if bids.features is None or bids.without is None:
            return self._held(op, ids, bids, index)
        asked = [pb_utils.Tensor("FEATURES", bids.features), _control(bids)]
        try:
            outcome = self._ask(DECODE_STEP, [*self._head(op, ids), *asked], bids, index)
        except SkynetError as fault:
            if fault.code not in PREDICTOR_FAULTS:
                raise
            self._health.failed()
            again = np.full((len(bids.weights), 1), index, np.int32)
            return self._held(Op.AGAIN, again, bids.without(), index)
        self._health.succeeded()
        return outcome

    def _held(self, op: Op, ids: NDArray[np.int32], bids: Bids, index: int) -> Outcome:
        held = [pb_utils.Tensor("MIXTURE", bids.mixture), _control(bids)]
        return self._ask(DECODE_STEP_HELD, [*self._head(op, ids), *held], bids, index)

    def _ask(
        self, graph: ModelContract, inputs: list[pb_utils.Tensor], bids: Bids, index: int
    ) -> Outcome:
        bid = "BID" if bids.control is not None else "WEIGHT"
        request = pb_utils.InferenceRequest(
            model_name=graph.name,
            requested_output_names=_NAMES[graph.name],
            inputs=[*inputs, *self._terms(bids, bid, index)],
            timeout=_DEFAULT_TIMEOUT_US,
        )
        response = request.exec()
        if response.has_error():
            raise SkynetError.from_wire(response.error().message())
        out = {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors()}
        return _outcome(out, bids.weights)

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
        adapter = pb_utils.Tensor("ADAPTER", self._adapters_of(op, rows))
        return [pb_utils.Tensor("IDS", ids), adapter, *self._constant[op, rows]]

    def _adapters_of(self, op: Op, rows: int) -> NDArray[np.uint64]:
        """Only a prompt says them: `llm_step` remembers, and a replay says them again."""
        found = np.zeros((rows, 1), np.uint64)
        if op is Op.PREFILL and self._adapters is not None:
            found[:, 0] = np.array(self._adapters, np.uint64)
        return found

    def _terms(self, bids: Bids, bid: str, index: int) -> list[pb_utils.Tensor]:
        """Inputs of `auction`, weights under the name `bid`: written again only when one has
        changed."""
        shape = (len(bids.weights), 1)
        if not np.array_equal(bids.weights, self._weights):
            self._weights, self._bid = bids.weights, {}
        if bid not in self._bid:
            self._bid[bid] = [
                pb_utils.Tensor(bid, bids.weights.reshape(shape)),
                pb_utils.Tensor("TEMPERATURE", np.full(shape, self._temperature, np.float32)),
            ]
        draw = pb_utils.Tensor("DRAW", np.tile(self._draw.at(index), shape))
        return [*self._bid[bid], draw]


def _control(bids: Bids) -> pb_utils.Tensor:
    return pb_utils.Tensor("CONTROL", bids.control)


def _outcome(out: Mapping[str, NDArray[Any]], bid: Weights) -> Outcome:
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
        weights=out["WEIGHT"][:, 0].copy() if "WEIGHT" in out else bid,
        decision=out["DECISION"].copy() if "DECISION" in out else None,
        mixture=out["MIXTURE"].copy() if "MIXTURE" in out else None,
        predictor=out["SERVED"][:, 0].copy() if "SERVED" in out else None,
    )
