# SPDX-License-Identifier: Apache-2.0
"""The two served networks, trained further on whatever traffic the data held.

Both go on from the version that ships, with the trainer's own network, batches and loss: the value
model by its supervised stage, the predictor as the pipelines' quick profile does it. So the error
is what a retraining on that traffic does to the model in service, not what a model that never saw
clean traffic would have.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bls.contracts import WINDOW
from bls.settings import Settings
from export.bid_predictor import lit
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.network import TTTiny
from export.bid_predictor.scores import score
from export.bid_predictor.warm import start_from as predictor_from
from export.bid_predictor.windows import Windows
from export.tve.config import Stage, TveConfig
from export.tve.data import Samples
from export.tve.feed import teach
from export.tve.model import DualTower
from export.tve.tokens import TOKENIZER, encode, load_tokenizer
from export.tve.train import go_on
from export.tve.warm import start_from as value_from
from pipelines_dagster.defs.market.ab.trial import CANDIDATES, Trial
from pipelines_dagster.defs.market.traits import F64, I64
from pipelines_dagster.defs.training.predictor import PROFILES

VALUE = TveConfig(supervised=Stage(lr=5e-4, epochs=3))
BIDS = replace(PROFILES["quick"], steps=20)


@dataclass(frozen=True)
class Learner:
    """The versions that ship, and how they are trained."""

    tve: DualTower
    tokenizer: Any
    predictor: Path
    value: TveConfig = VALUE
    bids: TrainConfig = field(default_factory=lambda: BIDS)

    @classmethod
    def of(cls, settings: Settings) -> Learner:
        """Raises `ExportError` where a version is missing or broken."""
        tve = settings.tve_folder()
        tokenizer = load_tokenizer(tve / TOKENIZER)
        return cls(value_from(tve), tokenizer, settings.predictor_folder())

    def fit_value(self, samples: Samples, seed: int) -> DualTower:
        return go_on(copy.deepcopy(self.tve), samples, self.value, seed)

    def fit_bids(self, windows: Windows, seed: int) -> TTTiny:
        network = predictor_from(self.predictor, self.bids)
        lit.fit(network, windows, self.bids, seed, progress=False)
        return network

    def samples(self, trial: Trial, k: I64, clicks: F64) -> Samples:
        """Of every candidate of every conversation, shown for `k` tokens [n x CANDIDATES]."""
        world = trial.world
        ids, mask = encode(self.tokenizer, world.texts)
        return Samples(
            ctx=world.ctx,
            ad_vec=world.ad,
            ids=ids,
            mask=mask,
            of_ctx=np.repeat(trial.ctx, trial.ad.shape[1]).astype(np.int64),
            of_ad=trial.ad.ravel().astype(np.int64),
            k=k,
            label=np.log1p(clicks).astype(np.float32),
            keys=np.zeros((len(k), 3), np.int64),
        )

    def curves(
        self, network: DualTower, trial: Trial, candidates: int = CANDIDATES
    ) -> tuple[F64, F64, F64]:
        """v_max, a, k_0 [n, candidates] that a network says of a trial's first so many."""
        trial = replace(trial, ad=trial.ad[:, :candidates])
        nothing = np.zeros(trial.ad.size)
        asked = self.samples(trial, nothing.astype(np.int64), nothing)
        told = teach(network, asked).numpy().astype(np.float64)
        v_max, a, k_0 = told[:, :3].T.reshape(3, *trial.ad.shape)
        return v_max, a, k_0


def windows(trial: Trial, log_w: F64) -> Windows:
    """Every token of every reply, from series [n, LONGEST + 1] that begin with the opening."""
    token = np.arange(log_w.shape[1] - 1)
    conversation, at = np.nonzero(token < trial.lengths[:, None])
    places = np.maximum(at[:, None] + np.arange(1 - WINDOW, 1), 0)
    return Windows(
        contexts=trial.world.ctx,
        ctx=trial.ctx[conversation].astype(np.int64),
        conversation=conversation.astype(np.int64),
        past=log_w[conversation[:, None], places],
        token_idx=at.astype(np.int64),
        label=log_w[conversation, at + 1],
    )


def forecast_error(network: TTTiny, judged: Windows) -> float:
    """RMSE of the forecast's mean of log W_-i."""
    return score(lit.forecast(network, judged), judged.label).rmse
