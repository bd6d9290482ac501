# SPDX-License-Identifier: Apache-2.0
"""`session_price` behind its tensors: a served version, requests run as one batch, typed errors.

What a version says is passed on as long as it is a number above 0: whoever asks holds the bounds
(`bls.phantom.pricing.bounds`), and takes the base price for an error.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.contracts import PRICE_GRAPH
from bls.errors import SkynetError, invalid
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.models import Digests, Models
from bls.models.onnx_model import OnnxModel
from bls.models.places import Places
from bls.models.pointer import Pointer, Target
from bls.models.served import served_id
from bls.phantom.pricer_stats import PricerStats
from export.errors import ExportError

F32 = NDArray[np.float32]
NAME = PRICE_GRAPH.name
_INPUT = PRICE_GRAPH.inputs[0].name
_PROBE = np.array([[1.0, 1.0, 0.8, 1.2, 0.7, 0.3, 0.4, 0.2]], np.float32)
"""The average item of an average session, in the places of `PriceState`."""


class Answer(NamedTuple):
    """Of one request: multipliers f32 [n, 1], and the version behind each row, u64 [n, 1]."""

    multiplier: F32
    served: Digests


class Pricer:
    """One per process; `answer` is called by one thread.

    Args:
        pointer: says which version serves while no key does.
    """

    def __init__(
        self,
        pointer: Pointer,
        log: JsonLog | None = None,
        keys: ModelKeys | None = None,
        places: Places | None = None,
    ) -> None:
        self.stats = PricerStats()
        self._log = log
        self.models = Models(
            NAME, load, pointer, keys, places=places, log=log, refused=self._refused
        )

    def answer(
        self, requests: Sequence[F32], keys: Sequence[Digests] | None = None
    ) -> list[Answer | SkynetError]:
        """For every request its multipliers, or its error.

        Args:
            requests: states [n, 8] each, in the places of `PriceState`.
            keys: the digest [n] of the session behind its rows; None: the champion answers.
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
        usable = [bool(np.isfinite(states).all()) for states in requests]
        good = [place for place, fine in enumerate(usable) if fine]
        if not good:
            return [_bad_state() for _ in requests]
        batch = np.concatenate([requests[place] for place in good])
        digests = None if keys is None else np.concatenate([keys[place] for place in good])
        found = self._run(model, batch, digests)
        ends = np.cumsum([len(requests[place]) for place in good])[:-1]
        split = (np.split(part, ends) for part in found)
        parts = iter(zip(*split, strict=True))
        return [_checked(*next(parts)) if fine else _bad_state() for fine in usable]

    def _run(self, champion: OnnxModel, batch: F32, digests: Digests | None) -> Answer:
        """One run over all rows; two while a canary answers some of them."""
        served = np.full((len(batch), 1), served_id(champion.sha256), np.uint64)
        rows = self.models.for_canary(digests)
        canary = None if rows is None else self.models.canary(int(rows.sum()))
        if rows is None or canary is None:
            return Answer(_multipliers(champion, batch), served)
        own = _multipliers(canary, batch[rows])
        if not sane(own):
            self.models.missed(len(own), "bad_price")
            return Answer(_multipliers(champion, batch), served)
        self.models.answered(len(own))
        served[rows] = served_id(canary.sha256)
        if rows.all():
            return Answer(own, served)
        whole = np.empty((len(batch), 1), np.float32)
        whole[rows], whole[~rows] = own, _multipliers(champion, batch[~rows])
        return Answer(whole, served)

    def _refused(self, error: SkynetError, why: str) -> None:
        name = error.code.upper()
        self.stats.alerts.add(alert=name)
        if self._log is not None:
            self._log.write("alerts", alert=name, model=NAME, why=why)


def load(target: Target) -> OnnxModel:
    """A version that has passed every check, warmed up. Raises `ExportError`, `SkynetError`."""
    model = OnnxModel(target.folder, PRICE_GRAPH, target.sha256)
    if model.manifest.name != NAME:
        raise ExportError("model_contract", f"the manifest is of {model.manifest.name}")
    for rows in (1, 24):
        found = _multipliers(model, np.repeat(_PROBE, rows, axis=0))
        if found.shape != (rows, 1) or not sane(found):
            raise SkynetError("model_missing", "The model failed its probe.", 503)
    return model


def sane(multiplier: F32) -> bool:
    """Finite and above 0, on every row."""
    return bool(np.isfinite(multiplier).all() and (multiplier > 0).all())


def _multipliers(model: OnnxModel, batch: F32) -> F32:
    """Multipliers [n, 1], not numbers where the model failed."""
    try:
        (found,) = model.run({_INPUT: batch})
    except Exception:  # onnxruntime's; its text has graph details
        found = None
    if found is None or found.shape != (len(batch), 1):
        return np.full((len(batch), 1), np.nan, np.float32)
    return found


def _checked(multiplier: F32, served: Digests) -> Answer | SkynetError:
    return Answer(multiplier, served) if sane(multiplier) else _bad_price()


_bad_state = partial(invalid, "bad_state", "STATE must be finite.")
_bad_price = partial(SkynetError, "bad_price", "The price failed.", 500)
