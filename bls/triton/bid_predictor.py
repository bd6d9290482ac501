# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `bid_predictor`: features in, mixtures out, on one CPU thread."""

from __future__ import annotations

from bls.brain.forecast.predictor import Predictor
from bls.brain.forecast.predictor_stats import COUNTERS
from bls.contracts import BID_PREDICTOR
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.model_key import PREDICTOR
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.reply.draw import CONVERSATION
from bls.settings import Settings
from bls.triton.batched import BatchedModel


class BidPredictor(BatchedModel):
    """Rows are bidders of a token; of DRAW only the conversation is read."""

    contract, prefix, counters, key = BID_PREDICTOR, "cbp", COUNTERS, CONVERSATION

    def make(self, settings: Settings, log: JsonLog) -> Predictor:
        return Predictor(
            FolderPointer(settings.predictor_folder()),
            log,
            ModelKeys.open(settings, PREDICTOR, log),
            Places(settings.models_folder, settings.models_fetched),
        )
