# SPDX-License-Identifier: Apache-2.0
"""The Lightning module of both neural forecasters, and one deterministic fit on the CPU."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import TQDMProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader

from export.bid_predictor import mixture
from export.bid_predictor.batches import Batch, Batches
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.windows import Windows


class Forecaster(lightning.LightningModule):  # type: ignore[misc]
    """Two stages in one run (competitor_bid 3): squared error of the mean for `pretrain_steps`,
    then NLL of the mixture + `mse_weight` x squared error. AdamW, one cosine over both."""

    def __init__(self, network: nn.Module, config: TrainConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config

    def training_step(self, batch: Batch, step: int) -> Tensor:
        features, label = batch
        total, squared = self.loss(self.network(features), label)
        if self.global_step < self.config.pretrain_steps:
            return squared
        self.log("loss", total, prog_bar=True)
        return total

    def loss(self, out: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """(NLL + `mse_weight` x squared error, squared error) of a mixture."""
        squared = torch.mean((mixture.mean(out) - label) ** 2)
        nll = mixture.negative_log_likelihood(out, label).mean()
        return nll + self.config.mse_weight * squared, squared

    def configure_optimizers(self) -> Any:
        total = self.config.pretrain_steps + self.config.steps
        rate = self.config.learning_rate
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=rate, weight_decay=self.config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=rate, total_steps=total + 1, pct_start=0.1
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def fit(
    network: nn.Module, windows: Windows, config: TrainConfig, seed: int, progress: bool
) -> None:
    """Train `network` in place: one thread, no workers, every draw from `seed`."""
    total = config.pretrain_steps + config.steps
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    data = Batches(windows, config, seed)
    trainer = lightning.Trainer(
        max_steps=total,
        accelerator="cpu",
        deterministic=True,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=progress,
        callbacks=[TQDMProgressBar(refresh_rate=50)] if progress else [],
        gradient_clip_val=1.0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "few workers", "IterableDataset has __len__"
        trainer.fit(Forecaster(network, config), DataLoader(data, batch_size=None))
    network.eval()


def forecast(network: nn.Module, windows: Windows, rows: int = 8192) -> Tensor:
    """MIXTURE [n, 5] of every window, in blocks of `rows`."""
    parts = []
    with torch.inference_mode():
        features = torch.from_numpy(windows.features())
        for start in range(0, len(features), rows):
            parts.append(network(features[start : start + rows]))
    return torch.cat(parts)
