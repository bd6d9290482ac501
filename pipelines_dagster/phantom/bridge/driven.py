# SPDX-License-Identifier: Apache-2.0
"""What `agent_score` says of sessions that our drivers make in the shop in memory.

`known`: the served version's graph, on sessions that no training has (`HELD_SEED`), of the drivers
that it was trained on. `unseen`: the same sessions, each scored by a classifier and a calibration
that knew nothing of its driver, as docs/agent_score.md does it; the served version has no such
answers to give, it knows every driver there is.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from bls.contracts import AGENT_GRAPH
from bls.models.onnx_model import OnnxModel
from export.agent_score.calibrate import unseen as of_strangers
from export.agent_score.config import TrainConfig
from export.agent_score.sessions import Prefixes, prefixes
from pipelines_dagster.defs.market.traits import F64
from pipelines_dagster.defs.training.sessions import HELD_SEED, generated
from pipelines_dagster.phantom.bridge.scores import Moments, Pool

SESSIONS = 800
KNOWN, UNSEEN = "known", "unseen"


@cache
def sessions(count: int) -> Prefixes:
    """Half of each mode, half of them by agents; every driver of an actor made as many."""
    return prefixes(list(generated(count, HELD_SEED)))


def known(folder: Path, count: int = SESSIONS) -> Pool:
    """By the version in `folder`. Raises `ExportError` where there is none."""
    data, model = sessions(count), OnnxModel(folder, AGENT_GRAPH)
    names = [tensor.name for tensor in AGENT_GRAPH.inputs]
    probability = model.run(dict(zip(names, (data.transitions, data.stats), strict=True)))[0]
    version = model.manifest.files["model.onnx"][:12]
    origin = f"`agent_score` {version}, new sessions of the drivers it was trained on"
    return pooled(KNOWN, origin, data, probability[:, 0].astype(np.float64))


def unseen(config: TrainConfig, count: int = SESSIONS, seed: int = 0) -> Pool:
    """By classifiers of the other drivers."""
    data = sessions(count)
    origin = "classifiers like `agent_score`, of drivers that they were not trained on"
    return pooled(UNSEEN, origin, data, of_strangers(data, config, seed))


def pooled(name: str, origin: str, data: Prefixes, score: F64) -> Pool:
    """A chat comes after any event of its session with the same chance, and every session is as
    likely; f is that of the last prefix [n] that was scored by then."""
    same = np.append(data.session[1:] == data.session[:-1], False)
    after = np.where(same, np.append(data.length[1:], 0), data.length + 1)
    events = np.zeros(len(data.agent))
    np.maximum.at(events, data.session, data.length)
    weight = (after - data.length) / events[data.session]
    first = np.append(True, ~same[:-1])
    before = np.where(first, score, np.roll(score, 1))
    sides = (data.of(data.agent), data.of(~data.agent))
    return Pool(name, origin, *(Moments(before[s], score[s], weight[s]) for s in sides))
