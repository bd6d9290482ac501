# SPDX-License-Identifier: Apache-2.0
"""Every kind of model there is, and how it is trained. A new trainer is one entry here.

Names are those of the assets `models/<name>`. None: the place is kept, no trainer is installed,
the asset is skipped.
"""

from __future__ import annotations

from bls.errors import SkynetError
from pipelines_dagster.defs.training import (
    agent,
    axes,
    bandit,
    guard,
    lora,
    predictor,
    price,
    summariser,
    tuner,
    tve,
)
from pipelines_dagster.defs.training.trainer import Trainer

TRAINERS: dict[str, Trainer | None] = {
    "predictor": predictor.TRAINER,
    "tve": tve.TRAINER,
    "axes": axes.TRAINER,
    "lambda_bandit": bandit.TRAINER,
    "tuner": tuner.TRAINER,
    "lora": lora.TRAINER,
    "summariser": summariser.TRAINER,
    "guard": guard.TRAINER,
    "agent": agent.TRAINER,
    "price": price.TRAINER,
}

NO_TRAINER, NO_DATA, NOTHING_BETTER = "no_trainer", "no_data", "nothing_better"
SKIPS = frozenset({NO_TRAINER, NO_DATA, NOTHING_BETTER})
"""Codes after which nothing is wrong, and nothing new is there either."""


def trainer_of(name: str) -> Trainer:
    """Raises `no_trainer`."""
    trainer = TRAINERS.get(name)
    if trainer is None:
        raise SkynetError(NO_TRAINER, f"No trainer is installed for models/{name}.", 404)
    return trainer
