# SPDX-License-Identifier: Apache-2.0
"""Round trips to `select` over gRPC, by one caller or several at once."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tritonclient import grpc

from bls.brain.context.version import AxesVersion
from bls.contracts import SELECT
from bls.select.answer import SelectAnswer

F32 = NDArray[np.float32]

HEAD = f"{'callers':>8} {'requests':>9} {'per s':>7} {'p50 ms':>7} {'p95 ms':>7} {'p99 ms':>7}"
_WARM_UP = 20


class Caller:
    """One client of the server."""

    def __init__(self, address: str, axes: AxesVersion, name: str) -> None:
        self._client = grpc.InferenceServerClient(address)
        self._axes, self._name, self._number = axes, name, 0

    def ask(self, ctx: F32) -> SelectAnswer:
        self._number += 1
        name = f"{self._name}-{self._number}"
        question = {"ctx_id": name, "conv_id": name, "request_id": name}
        asked = np.array([json.dumps(question).encode()], object)
        axes = np.array([self._axes.served], np.uint64)
        inputs = []
        given: tuple[NDArray[Any], ...] = (asked, ctx, axes)
        for tensor, values in zip(SELECT.inputs, given, strict=True):
            kind = "BYTES" if tensor.dtype == "STRING" else tensor.dtype
            inputs.append(grpc.InferInput(tensor.name, list(values.shape), kind))
            inputs[-1].set_data_from_numpy(values)
        found = self._client.infer(SELECT.name, inputs).as_numpy(SELECT.outputs[0].name)
        return SelectAnswer.model_validate_json(found[0])


class Latencies(NamedTuple):
    """Of whole round trips; `str` is a line under `HEAD`."""

    callers: int
    requests: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    def __str__(self) -> str:
        counts = f"{self.callers:>8} {self.requests:>9} {self.per_s:>7.0f}"
        return f"{counts} {self.p50_ms:>7.2f} {self.p95_ms:>7.2f} {self.p99_ms:>7.2f}"


def latencies(
    address: str, contexts: F32, axes: AxesVersion, callers: int, requests: int
) -> Latencies:
    """`requests` of each caller, after a few that do not count; raises what a caller raised.

    Args:
        contexts: f32 [n, 128] on `axes`, asked in turn.
    """
    times = np.zeros((callers, requests))
    faults: list[Exception] = []

    def run(number: int) -> None:
        caller = Caller(address, axes, f"{callers}-{number}")
        try:
            for place in range(-_WARM_UP, requests):
                began = time.perf_counter()
                caller.ask(contexts[place % len(contexts)])
                if place >= 0:
                    times[number, place] = time.perf_counter() - began
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    p50, p95, p99 = (float(ms) for ms in 1e3 * np.percentile(times, (50, 95, 99)))
    return Latencies(callers, times.size, times.size / times.sum(axis=1).max(), p50, p95, p99)
