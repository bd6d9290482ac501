# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `session_price`: states in, multipliers out, on one CPU thread."""

from __future__ import annotations

from pathlib import Path

from bls.contracts import SESSION_PRICE
from bls.models.model_key import PRICE
from bls.phantom.pricer import Pricer
from bls.phantom.pricer_stats import COUNTERS
from bls.settings import Settings
from bls.triton.batched import BatchedModel


class SessionPrice(BatchedModel):
    """Rows are items of a page; KEY is the session's."""

    served, subsystem = Pricer, PRICE
    contract, prefix, counters = SESSION_PRICE, "phantom_price", COUNTERS

    def folder(self, settings: Settings) -> Path:
        return settings.price_folder()
