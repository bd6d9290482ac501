# SPDX-License-Identifier: Apache-2.0
"""`train`: a market dataset in, three model folders and their figures out."""

from __future__ import annotations

import logging
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from torch.utils.data import DataLoader

from export.tve import publish
from export.tve.config import Dims, Stage, TveConfig
from export.tve.data import Samples, load, split, texts
from export.tve.feed import Feed, teach
from export.tve.model import DualTower
from export.tve.stages import Distil, Similarity, StageModule, Supervised
from export.tve.tokens import load_tokenizer, train_tokenizer
from export.tve.trace import LossTrace

DEV_SHARE = 0.1
DEV_ROWS = 4096


@dataclass(frozen=True)
class Trained:
    """`artefact` is the folder to serve; `metrics` are of the dev split (ads never trained on)."""

    artefact: Path
    metrics: dict[str, float]


def train(
    dataset: Path,
    config: TveConfig,
    seed: int,
    out: Path,
    *,
    tokenizer: Path | None = None,
    progress: bool = False,
) -> Trained:
    """Train teacher and student and write `teacher_f32`, `student_f32`, `student_int8` into `out`.

    The same dataset, config, seed and number of threads give the same bytes on one machine.

    Args:
        dataset: a market dataset, or a folder of them. `truth/` is not read.
        tokenizer: a `tokenizer.json` to keep; by default one is trained on the dataset's ads.

    Raises:
        ExportError: `dataset_missing` or `dataset_invalid`.
    """
    torch.set_num_threads(config.threads)
    vocabulary = load_tokenizer(tokenizer) if tokenizer else train_tokenizer(texts(dataset))
    learnt, dev = split(load(dataset, vocabulary), DEV_SHARE, seed)
    dev = dev.take(np.random.default_rng(seed).permutation(len(dev))[:DEV_ROWS])
    scale = float(learnt.label.std())
    out.mkdir(parents=True, exist_ok=True)
    runner = _Runner(config, seed, learnt, LossTrace(out / "trainer.loss.trace"), progress)

    teacher = _network(config.teacher, vocabulary.get_vocab_size(), scale, seed)
    runner.run(Similarity, teacher, config.similarity)
    runner.run(Supervised, teacher, config.supervised)
    student = _network(config.teacher.half(), vocabulary.get_vocab_size(), scale, seed)
    rate = config.similarity.lr * config.student_rate
    runner.run(Similarity, student, replace(config.similarity, lr=rate))
    runner.run(Distil, student, config.distil, teach(teacher, learnt))

    origin = publish.Origin(dataset, asdict(config), seed, vocabulary)
    artefact, metrics = publish.write(out, teacher, student, dev, origin)
    return Trained(artefact, metrics)


def go_on(model: DualTower, samples: Samples, config: TveConfig, seed: int) -> DualTower:
    """Stage 2 alone, in place: what a version that knows its towers learns from newer samples."""
    torch.set_num_threads(config.threads)
    _Runner(config, seed, samples).run(Supervised, model, config.supervised)
    return model


def _network(dims: Dims, vocabulary: int, scale: float, seed: int) -> DualTower:
    torch.manual_seed(seed)
    return DualTower(dims, vocabulary, scale)


@dataclass
class _Runner:
    """Runs stages one after the other with the same data, seed and trace."""

    config: TveConfig
    seed: int
    samples: Samples
    trace: LossTrace | None = None
    progress: bool = False

    def run(
        self,
        kind: type[StageModule],
        model: DualTower,
        stage: Stage,
        told: torch.Tensor | None = None,
    ) -> None:
        feed = Feed(self.samples, self.config, self.seed, told)
        steps = feed.count() * stage.epochs
        limit = self.config.max_steps or -1
        module = kind(
            model=model,
            config=self.config,
            stage=stage,
            steps=min(steps, limit) if limit > 0 else steps,
            seed=self.seed,
        )
        callbacks: list[Callback] = [] if self.trace is None else [self.trace]
        if self.progress:
            callbacks.append(TQDMProgressBar(refresh_rate=5))
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on workers and loggers
            trainer = pl.Trainer(
                accelerator="cpu",
                max_epochs=stage.epochs,
                max_steps=limit,
                deterministic=True,
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                enable_progress_bar=self.progress,
                gradient_clip_val=1.0,
                callbacks=callbacks,
            )
            trainer.fit(module, DataLoader(feed, batch_size=None))
        model.eval()
