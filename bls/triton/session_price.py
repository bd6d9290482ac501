# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `session_price`: states in, multipliers out, on one CPU thread."""

from __future__ import annotations

from bls.contracts import SESSION_PRICE
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.model_key import PRICE
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.phantom.pricer import Pricer
from bls.phantom.pricer_stats import COUNTERS
from bls.settings import Settings
from bls.triton.batched import BatchedModel


class SessionPrice(BatchedModel):
    """Rows are items of a page; KEY is the session's."""

    contract, prefix, counters = SESSION_PRICE, "phantom_price", COUNTERS

    def make(self, settings: Settings, log: JsonLog) -> Pricer:
        return Pricer(
            FolderPointer(settings.price_folder()),
            log,
            ModelKeys.open(settings, PRICE, log),
            Places(settings.models_folder, settings.models_fetched),
        )
