# SPDX-License-Identifier: Apache-2.0
"""A served model of one input and one output: requests run as one batch, its canary beside it.

A request whose input is not finite is refused alone. A canary whose output is not sane is missed
once, and the champion answers for it; a champion's is an error of the request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.contracts import ModelContract
from bls.errors import SkynetError, invalid
from bls.jsonlog import JsonLog
from bls.models.batch_stats import BatchStats
from bls.models.keys import ModelKeys
from bls.models.models import Digests, Models
from bls.models.onnx_model import OnnxModel
from bls.models.places import Places
from bls.models.pointer import Pointer, Target
from bls.models.served import served_id

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


class Batched:
    """One per process; `answer` is called by one thread.

    Args:
        graph: what `model.onnx` takes and gives.
        load: a version that has passed every check.
        sane: whether an output may be passed on.
        pointer: says which version serves while no key does.
    """

    def __init__(
        self,
        graph: ModelContract,
        load: Callable[[Target], OnnxModel],
        sane: Callable[[F32], bool],
        faults: Faults,
        stats: BatchStats,
        *,
        pointer: Pointer,
        log: JsonLog | None = None,
        keys: ModelKeys | None = None,
        places: Places | None = None,
    ) -> None:
        self.stats = stats
        self._graph, self._sane, self._faults, self._log = graph, sane, faults, log
        self.models = Models(
            graph.name, load, pointer, keys, places=places, log=log, refused=self._refused
        )

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
            return Answer(output(champion, self._graph, batch), served)
        own = output(canary, self._graph, batch[rows])
        if not self._sane(own):
            self.models.missed(len(own), self._faults.bad_output)
            return Answer(output(champion, self._graph, batch), served)
        self.models.answered(len(own))
        served[rows] = served_id(canary.sha256)
        if rows.all():
            return Answer(own, served)
        whole = np.empty((len(batch), own.shape[1]), np.float32)
        whole[rows], whole[~rows] = own, output(champion, self._graph, batch[~rows])
        return Answer(whole, served)

    def _refused(self, error: SkynetError, why: str) -> None:
        name = error.code.upper()
        self.stats.alerts.add(alert=name)
        if self._log is not None:
            self._log.write("alerts", alert=name, model=self._graph.name, why=why)

    def _checked(self, found: F32, served: Digests) -> Answer | SkynetError:
        if self._sane(found):
            return Answer(found, served)
        return SkynetError(self._faults.bad_output, self._faults.output_text, 500)

    def _bad_input(self) -> SkynetError:
        return invalid(self._faults.bad_input, self._faults.input_text)


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
