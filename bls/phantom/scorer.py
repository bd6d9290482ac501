# SPDX-License-Identifier: Apache-2.0
"""`agent_score` behind its tensors: a served version, its canary, typed errors.

Anything that would make a score wrong is an error of the request instead: counts that are not, a
version of another feature layout, a probability outside [0, 1]. Source: PHANTOM's model, "Kernels".
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.contracts import AGENT_GRAPH
from bls.errors import SkynetError, invalid
from bls.models.models import Digests
from bls.models.onnx_model import OnnxModel, zeros
from bls.models.pointer import Target
from bls.models.served import served_id
from bls.models.serving import Kind, Serving
from bls.phantom.score_stats import ScoreStats
from export.agent_score.artefact import verify

F32 = NDArray[np.float32]
_TRANSITIONS, _STATS = (tensor.name for tensor in AGENT_GRAPH.inputs)


class Scores(NamedTuple):
    """Of one request: f(tau) f32 [R, 1], Delta_H and Delta_A f32 [R, 2], each row's version."""

    probability: F32
    divergence: F32
    served: Digests


def load(target: Target) -> OnnxModel:
    """A version that has passed every check, warmed up. Raises `ExportError`, `model_missing`."""
    verify(target.folder)
    model = OnnxModel(target.folder, AGENT_GRAPH, target.sha256)
    for rows in (1, 4):
        probe = zeros(AGENT_GRAPH, rows)
        found = _run(model, probe[_TRANSITIONS], probe[_STATS])
        if found.probability.shape != (rows, 1) or not sane(found):
            raise SkynetError("model_missing", "The model failed its probe.", 503)
    return model


def sane(scores: Scores) -> bool:
    """Probabilities in [0, 1], divergences finite, on every row."""
    probability = scores.probability
    inside = ((probability >= 0) & (probability <= 1)).all()
    return bool(inside and np.isfinite(scores.divergence).all())


class Scorer(Serving[OnnxModel, ScoreStats]):
    """Sessions to probabilities; keys are the rows' sessions."""

    kind = Kind("agent_score", load, ScoreStats)

    def answer(self, counts: F32, stats: F32, keys: Digests | None = None) -> Scores | SkynetError:
        """The scores of sessions, or why there are none.

        Args:
            counts, stats: TRANSITIONS [R, 15, 14], STATS [R, 16].
            keys: of the sessions [R]; None: the champion answers.
        """
        began = time.perf_counter()
        try:
            answer: Scores | SkynetError = self._counted(self._answer(counts, stats, keys))
        except SkynetError as error:
            answer = error
            self.stats.errors.add(code=error.code)
        self.stats.answered(len(counts), time.perf_counter() - began)
        return answer

    def _counted(self, scores: Scores) -> Scores:
        self.stats.agents += int((scores.probability >= 0.5).sum())
        return scores

    def _answer(self, counts: F32, stats: F32, keys: Digests | None) -> Scores:
        """One run over all rows; two while a canary answers some of them."""
        champion = self.models.champion.current()
        _check(counts, stats)
        rows = self.models.for_canary(keys)
        canary = None if rows is None else self.models.canary(int(rows.sum()))
        if rows is None or canary is None:
            return _whole(_run(champion, counts, stats))
        theirs = _run(canary, counts[rows], stats[rows])
        if not sane(theirs):
            self.models.missed(int(rows.sum()), "bad_score")
            return _whole(_run(champion, counts, stats))
        self.models.answered(int(rows.sum()))
        if rows.all():
            return theirs
        ours = _whole(_run(champion, counts[~rows], stats[~rows]))
        return Scores(
            _merged(rows, theirs.probability, ours.probability),
            _merged(rows, theirs.divergence, ours.divergence),
            _merged(rows, theirs.served, ours.served),
        )


def _check(counts: F32, stats: F32) -> None:
    """Raises `bad_session`."""
    usable = np.isfinite(counts).all() and (counts >= 0).all() and np.isfinite(stats).all()
    if not usable:
        raise _bad_session()


def _run(model: OnnxModel, counts: F32, stats: F32) -> Scores:
    """Scores, not numbers where the model failed."""
    served = np.full((len(counts), 1), served_id(model.sha256), np.uint64)
    try:
        probability, divergence = model.run({_TRANSITIONS: counts, _STATS: stats})
    except Exception:  # onnxruntime's; its text has graph details
        nothing = np.full((len(counts), 2), np.nan, np.float32)
        return Scores(nothing[:, :1], nothing, served)
    return Scores(probability, divergence, served)


def _whole(scores: Scores) -> Scores:
    """Raises `bad_score`."""
    if not sane(scores):
        raise _bad_score()
    return scores


def _merged(rows: NDArray[np.bool_], theirs: NDArray[Any], ours: NDArray[Any]) -> NDArray[Any]:
    whole = np.empty((len(rows), theirs.shape[1]), theirs.dtype)
    whole[rows], whole[~rows] = theirs, ours
    return whole


_bad_session = partial(invalid, "bad_session", "Counts and statistics must be finite, counts >= 0.")
_bad_score = partial(SkynetError, "bad_score", "The score failed.", 500)
