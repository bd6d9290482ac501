# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `tve`: contexts and ads in, value curves out, on one CPU thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bls.brain.tve.estimator import Estimate, Estimator
from bls.brain.tve.stats import COUNTERS
from bls.contracts import TVE
from bls.errors import SkynetError
from bls.models import model_key
from bls.settings import Settings
from bls.triton.single import SingleModel


class TrajectoryValue(SingleModel[Estimator]):
    """A request is a reply's ads; KEY is its conversation's."""

    served, subsystem = Estimator, model_key.TVE
    contract, prefix, counters = TVE, "tve", COUNTERS

    def folder(self, settings: Settings) -> Path:
        return settings.tve_folder()

    def answer(self, inputs: list[Any], request_id: str) -> Estimate | SkynetError:
        ctx, ads, keys = inputs
        return self.model.answer(ctx, list(ads.ravel()), request_id, keys[:, 0])
