# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `bid_predictor`: features in, mixtures out, on one CPU thread."""

from __future__ import annotations

from pathlib import Path

from bls.brain.forecast.predictor import Predictor
from bls.brain.forecast.predictor_stats import COUNTERS
from bls.contracts import BID_PREDICTOR
from bls.models.model_key import PREDICTOR
from bls.reply.draw import CONVERSATION
from bls.settings import Settings
from bls.triton.batched import BatchedModel


class BidPredictor(BatchedModel):
    """Rows are bidders of a token; of DRAW only the conversation is read."""

    served, subsystem = Predictor, PREDICTOR
    contract, prefix, counters, key = BID_PREDICTOR, "cbp", COUNTERS, CONVERSATION

    def folder(self, settings: Settings) -> Path:
        return settings.predictor_folder()
