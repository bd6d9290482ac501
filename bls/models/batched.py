# SPDX-License-Identifier: Apache-2.0
"""A served model of one input and one output: requests run as one batch, its canary beside it.

A request whose input is not finite is refused alone. A canary whose output is not sane is missed
once, and the champion answers for it; a champion's is an error of the request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.contracts import ModelContract
from bls.errors import SkynetError, invalid
from bls.models.batch_stats import BatchStats
from bls.models.models import Digests
from bls.models.onnx_model import OnnxModel
from bls.models.served import served_id
from bls.models.serving import Kind, Serving

F32 = NDArray[np.float32]


class Answer(NamedTuple):
    """Of one request: the graph's output f32 [n, width], the version behind each row u64 [n, 1]."""

    output: F32
    served: Digests


class Faults(NamedTuple):
    """Codes and sentences of a request whose input, or whose output, is not usable."""

    bad_input: str
    input_text: str
    bad_output: str
    output_text: str


@dataclass(frozen=True)
class BatchedKind(Kind[OnnxModel, BatchStats]):
    """Attributes:
    graph: what `model.onnx` takes and gives.
    sane: whether an output may be passed on.
    """

    graph: ModelContract
    sane: Callable[[F32], bool]
    faults: Faults


class Batched(Serving[OnnxModel, BatchStats]):
    """See the module."""

    kind: BatchedKind

    def answer(
        self, requests: Sequence[F32], keys: Sequence[Digests] | None = None
    ) -> list[Answer | SkynetError]:
        """For every request its output, or its error.

        Args:
            requests: inputs f32 [n, width] each.
            keys: digests [n] of whom the rows belong to; None: the champion answers.
        """
        began = time.perf_counter()
        answers = self._answer(requests, keys)
        took = time.perf_counter() - began
        self.stats.executed(len(requests), sum(map(len, requests)), took)
        for answer in answers:
            if isinstance(answer, SkynetError):
                self.stats.errors.add(code=answer.code)
        return answers

    def _answer(
        self, requests: Sequence[F32], keys: Sequence[Digests] | None
    ) -> list[Answer | SkynetError]:
        try:
            model = self.models.champion.current()
        except SkynetError as error:
            return [error] * len(requests)
        usable = [bool(np.isfinite(values).all()) for values in requests]
        good = [place for place, fine in enumerate(usable) if fine]
        if not good:
            return [self._bad_input() for _ in requests]
        batch = np.concatenate([requests[place] for place in good])
        digests = None if keys is None else np.concatenate([keys[place] for place in good])
        found = self._run(model, batch, digests)
        ends = np.cumsum([len(requests[place]) for place in good])[:-1]
        split = (np.split(part, ends) for part in found)
        parts = iter(zip(*split, strict=True))
        return [self._checked(*next(parts)) if fine else self._bad_input() for fine in usable]

    def _run(self, champion: OnnxModel, batch: F32, digests: Digests | None) -> Answer:
        """One run over all rows; two while a canary answers some of them."""
        served = np.full((len(batch), 1), served_id(champion.sha256), np.uint64)
        rows = self.models.for_canary(digests)
        canary = None if rows is None else self.models.canary(int(rows.sum()))
        if rows is None or canary is None:
            return Answer(output(champion, self.kind.graph, batch), served)
        own = output(canary, self.kind.graph, batch[rows])
        if not self.kind.sane(own):
            self.models.missed(len(own), self.kind.faults.bad_output)
            return Answer(output(champion, self.kind.graph, batch), served)
        self.models.answered(len(own))
        served[rows] = served_id(canary.sha256)
        if rows.all():
            return Answer(own, served)
        whole = np.empty((len(batch), own.shape[1]), np.float32)
        whole[rows], whole[~rows] = own, output(champion, self.kind.graph, batch[~rows])
        return Answer(whole, served)

    def _checked(self, found: F32, served: Digests) -> Answer | SkynetError:
        if self.kind.sane(found):
            return Answer(found, served)
        return SkynetError(self.kind.faults.bad_output, self.kind.faults.output_text, 500)

    def _bad_input(self) -> SkynetError:
        return invalid(self.kind.faults.bad_input, self.kind.faults.input_text)


def output(model: OnnxModel, graph: ModelContract, batch: F32) -> F32:
    """f32 [n, width], not numbers where the model failed or gave another shape."""
    shape = (len(batch), *graph.outputs[0].dims)
    try:
        (found,) = model.run({graph.inputs[0].name: batch})
    except Exception:  # onnxruntime's; its text has graph details
        found = None
    if found is None or found.shape != shape:
        return np.full(shape, np.nan, np.float32)
    return found


def probe(model: OnnxModel, graph: ModelContract, batch: F32, sane: Callable[[F32], bool]) -> None:
    """Warms a version up. Raises `model_missing` (503) where it does not answer sanely."""
    if not sane(output(model, graph, batch)):
        raise SkynetError("model_missing", "The model failed its probe.", 503)
