# SPDX-License-Identifier: Apache-2.0
"""The three training stages as Lightning modules; each trains a `DualTower` in place."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from export.tve.config import Stage, TveConfig
from export.tve.feed import Batch
from export.tve.losses import crps, draw, l2
from export.tve.model import DualTower, value_at, values

_BETAS = (0.9, 0.98)  # a short memory of squared gradients: these runs are hundreds of steps


class StageModule(pl.LightningModule):  # type: ignore[misc]
    """What the stages share: the optimiser, and what is reported of a step.

    Args:
        steps: of the whole stage, for the schedule.
        seed: of the Monte-Carlo samples and of the hidden tokens.
    """

    def __init__(
        self, model: DualTower, config: TveConfig, stage: Stage, steps: int, seed: int
    ) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.stage = stage
        self.steps = steps
        self.random = torch.Generator().manual_seed(seed)

    def configure_optimizers(self) -> dict[str, Any]:
        optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=self.stage.lr, betas=_BETAS, weight_decay=0.0
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._share)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _share(self, step: int) -> float:
        warm = max(1, round(self.steps * self.stage.warm_up))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, self.steps - warm))))

    def hidden(self, batch: Batch) -> Tensor:
        """The batch's mask with a share of its tokens hidden; every ad keeps its first."""
        kept = torch.rand(batch.mask.shape, generator=self.random) >= self.config.word_drop
        kept[:, 0] = True
        return batch.mask * kept

    def report(self, loss: Tensor, **parts: Tensor) -> Tensor:
        """Report the loss and its parts, and hand the loss on."""
        for name, part in (("loss", loss), *parts.items()):
            self.log(name, part.detach(), prog_bar=True, batch_size=1)
        return loss


class Similarity(StageModule):
    """Stage 1: every pair of a batch, predicted against true cosine(ctx_vec, ad_vec)."""

    def training_step(self, batch: Batch, index: int) -> Tensor:
        predicted = self.model.similarity(batch.ctx, batch.ids, self.hidden(batch))
        unit = torch.nn.functional.normalize(batch.ad_vec, dim=1)
        true = torch.nn.functional.normalize(batch.ctx, dim=1) @ unit.T
        loss = ((predicted - true) ** 2).mean() / true.var().clamp(min=1e-6)
        return self.report(loss, rmse=loss.sqrt())


class Supervised(StageModule):
    """Stage 2: MSE of V(k) + lambda CRPS + 0.1 L2, in units of the label's spread."""

    def training_step(self, batch: Batch, index: int) -> Tensor:
        curve = self.curve(batch, self.hidden(batch))
        mse, score = self.errors(curve, batch)
        config = self.config
        loss = mse + config.crps_weight * score + config.l2_weight * l2(self.model)
        return self.report(loss, crps=score, rmse=mse.sqrt())

    def curve(self, batch: Batch, mask: Tensor) -> Tensor:
        """The curve [n, 4] of every sample."""
        of_pairs: Tensor = self.model.of_pairs(batch.ctx, batch.ids, mask, batch.which)
        return of_pairs[batch.pair]

    def errors(self, curve: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(mean squared error of V(k), mean CRPS of what k tokens were worth)."""
        scale = self.model.scale
        mse = ((value_at(curve, batch.k) - batch.label) ** 2).mean() / scale**2
        noise = torch.randn(len(curve), self.config.samples, generator=self.random)
        forecast = draw(curve, batch.k, noise)
        return mse, crps(forecast, batch.label).mean() / scale


class Distil(Supervised):
    """Stage 3: 0.7 MSE + 0.3 KD, the teacher being the stage-2 model as it is without dropout.

    KD is the mean squared distance of the two curves V(1) .. V(48) plus that of the spreads, so
    that the student's spread has a teacher too.
    """

    def training_step(self, batch: Batch, index: int) -> Tensor:
        curve = self.curve(batch, batch.mask)
        mse, score = self.errors(curve, batch)
        distance = ((values(curve) - values(batch.told)) ** 2).mean()
        distance = distance + ((curve[:, 3] - batch.told[:, 3]) ** 2).mean()
        distance = distance / self.model.scale**2
        share = self.config.kd_share
        return self.report((1 - share) * mse + share * distance, crps=score, rmse=mse.sqrt())
