# SPDX-License-Identifier: Apache-2.0
"""Whatever fails while `llm_step` answers a request, the request has its one response.

Triton's side of it is stood in for: nothing makes the real one fail on demand.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pytest

from bls.errors import SkynetError

MODULE = "bls.triton.llm_step"
LOGITS = np.ones((2, 8), np.float32)


class Sender:
    """As of a model that is not decoupled: it takes one response, whatever becomes of it."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.taken = 0
        self.sent: list[tuple[Any, int]] = []

    def send(self, response: Any, flags: int) -> None:
        self.taken += 1
        if self.taken > 1:
            raise RuntimeError("Response sender has been closed.")
        if self.broken:
            raise RuntimeError("no shared memory")
        self.sent.append((response, flags))


def response(outputs: tuple[Any, ...] = (), error: str = "") -> SimpleNamespace:
    return SimpleNamespace(outputs=list(outputs), error=error)


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    stand_in: Any = ModuleType("triton_python_backend_utils")
    stand_in.TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
    stand_in.TritonError = str
    stand_in.InferenceResponse = response
    stand_in.InferenceRequest = object
    stand_in.Tensor = lambda name, array: (name, array.copy())
    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    yield stand_in
    for name in set(sys.modules) - before:
        if name.startswith("bls.triton"):
            del sys.modules[name]


def answer_to(sender: Sender, undelivered: Callable[[], None]) -> Callable[[Any], None]:
    request = SimpleNamespace(get_response_sender=lambda: sender)
    found: Callable[[Any], None] = importlib.import_module(MODULE)._answer_to(request, undelivered)
    return found


def test_logits_and_refusals_are_final(triton: Any) -> None:
    good, bad, lost = Sender(), Sender(), list[str]()
    answer_to(good, lambda: lost.append("good"))(LOGITS)
    answer_to(bad, lambda: lost.append("bad"))(SkynetError("bad_op", "No.", 400))
    ((response, flags),) = good.sent
    assert np.array_equal(response.outputs[0][1], LOGITS) and not response.error and flags == 1
    ((response, flags),) = bad.sent
    assert SkynetError.from_wire(response.error).code == "bad_op" and flags == 1
    assert lost == []


def test_a_response_that_cannot_be_built_becomes_an_error(
    triton: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str, array: object) -> NoReturn:
        raise MemoryError

    sender, lost = Sender(), list[BaseException | None]()
    answer = answer_to(sender, lambda: lost.append(sys.exc_info()[1]))
    monkeypatch.setattr(triton, "Tensor", full)
    answer(LOGITS)
    ((response, flags),) = sender.sent
    assert SkynetError.from_wire(response.error).code == "internal" and flags == 1
    assert [type(fault) for fault in lost] == [MemoryError], "told while it is handled"


def test_a_send_that_fails_is_tried_once_more_and_told(triton: Any) -> None:
    sender, lost = Sender(broken=True), list[int]()
    answer_to(sender, lambda: lost.append(1))(LOGITS)
    assert sender.sent == [] and sender.taken == 2 and lost == [1]
