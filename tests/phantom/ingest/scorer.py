# SPDX-License-Identifier: Apache-2.0
"""A real gRPC server that answers as `agent_score` does: what a test says, after a pause or not."""

from __future__ import annotations

import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bls.contracts import ACTIONS, AGENT_SCORE, SessionStat

SERVED = 0xABCDEF


class Scorer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """`with Scorer() as scorer:`

    Attributes:
        says: f(tau) of the next session; None: the model is away.
        pause_s: before it answers.
        seen: events of each session it was asked about.
    """

    def __init__(self) -> None:
        self.says: float | None = 0.25
        self.pause_s = 0.0
        self.seen: list[float] = []
        self.address = ""
        self._over = threading.Event()

    def __enter__(self) -> Scorer:
        self._server = grpc.server(ThreadPoolExecutor(max_workers=16))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.stop(grace=None).wait(5)

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Checks the shapes of the contract."""
        said = self.says
        if said is None or request.model_name != AGENT_SCORE.name:
            context.abort(grpc.StatusCode.UNAVAILABLE, "no such model")
        shapes = [tuple(tensor.shape) for tensor in request.inputs]
        assert shapes == [(1, ACTIONS + 1, ACTIONS), (1, len(SessionStat)), (1, 1)]
        counts = np.frombuffer(request.raw_input_contents[0], np.float32)
        stats = np.frombuffer(request.raw_input_contents[1], np.float32)
        assert counts.sum() == stats[SessionStat.EVENTS]
        self.seen.append(float(stats[SessionStat.EVENTS]))
        self._over.wait(self.pause_s)
        response = service_pb2.ModelInferResponse(model_name=request.model_name)
        raw = (struct.pack("<f", said), struct.pack("<2f", 1, 2), struct.pack("<Q", SERVED))
        for tensor, value in zip(AGENT_SCORE.outputs, raw, strict=True):
            response.outputs.add(name=tensor.name, datatype=tensor.dtype, shape=[1, *tensor.dims])
            response.raw_output_contents.append(value)
        return response
