# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `agent_score`: sessions in, probabilities out, on one CPU thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bls.contracts import AGENT_SCORE
from bls.errors import SkynetError
from bls.models.model_key import AGENT
from bls.phantom.score_stats import COUNTERS
from bls.phantom.scorer import Scorer, Scores
from bls.settings import Settings
from bls.triton.single import SingleModel


class AgentScore(SingleModel[Scorer]):
    """A request is some sessions; KEY is each one's."""

    served, subsystem = Scorer, AGENT
    contract, prefix, counters = AGENT_SCORE, "phantom_score", COUNTERS

    def folder(self, settings: Settings) -> Path:
        return settings.agent_folder()

    def answer(self, inputs: list[Any], request_id: str) -> Scores | SkynetError:
        counts, stats, keys = inputs
        return self.model.answer(counts, stats, keys[:, 0])
