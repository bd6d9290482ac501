# SPDX-License-Identifier: Apache-2.0
"""A reply's events as responses of `token_auction`; tensors as in `bls.contracts`."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import triton_python_backend_utils as pb_utils

from bls.contracts import Kind
from bls.reply.journal import Journal
from bls.reply.loop import TokenEvent
from bls.triton.outbox import Outbox


class StreamSink:
    """Events go to the journal and, through the outbox, to the stream.

    Args:
        gone: called when a token finds its reader gone; must not block.
    """

    def __init__(
        self,
        sender: pb_utils.InferenceResponseSender,
        outbox: Outbox,
        entry: Journal.Entry,
        gone: Callable[[], None],
    ) -> None:
        self._sender = sender
        self._outbox = outbox
        self._entry = entry
        self._gone = gone

    def start(self, header: dict[str, object]) -> None:
        text = json.dumps(header)
        self._outbox.put(lambda: self._send(_integer("KIND", Kind.START), _text("RECEIPT", text)))

    def token(self, event: TokenEvent) -> None:
        self._entry.token(event)
        self._outbox.put(lambda: self._token(event))

    def end(self, finish_reason: str, receipt: dict[str, object]) -> None:
        text = json.dumps(receipt)
        self._outbox.put(
            lambda: self._send(
                _integer("KIND", Kind.END),
                _text("FINISH_REASON", finish_reason),
                _text("RECEIPT", text),
            )
        )

    def cancelled(self) -> bool:
        return bool(self._sender.is_cancelled())

    def _token(self, event: TokenEvent) -> None:
        outcome = event.outcome
        self._send(
            _integer("KIND", Kind.TOKEN),
            _text("TEXT", event.text),
            _integer("INDEX", event.index),
            _integer("TOKEN_ID", outcome.token),
            _integer("WINNER", event.winner),
            _integer("FLAGS", outcome.flags),
            pb_utils.Tensor("MARGIN", np.array([outcome.margin], np.float64)),
            pb_utils.Tensor("BID", event.weights),
            pb_utils.Tensor("CHARGE", event.charges),
            pb_utils.Tensor("CRITICAL_BID", outcome.critical_bid),
            pb_utils.Tensor("P_TOKEN", outcome.p_token),
            pb_utils.Tensor("W_MINUS", outcome.w_minus),
            pb_utils.Tensor("ROW_STATUS", outcome.row_status),
        )
        if self.cancelled():
            self._gone()

    def _send(self, *tensors: pb_utils.Tensor) -> None:
        self._sender.send(pb_utils.InferenceResponse(list(tensors)))


def send_update(sender: pb_utils.InferenceResponseSender, receipt: dict[str, object]) -> None:
    """The answer to a bid update."""
    tensors = [_integer("KIND", Kind.UPDATE), _text("RECEIPT", json.dumps(receipt))]
    sender.send(pb_utils.InferenceResponse(tensors))


def _integer(name: str, value: int) -> pb_utils.Tensor:
    return pb_utils.Tensor(name, np.array([int(value)], np.int32))


def _text(name: str, value: str) -> pb_utils.Tensor:
    return pb_utils.Tensor(name, np.array([value.encode()], np.object_))
