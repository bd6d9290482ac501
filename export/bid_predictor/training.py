# SPDX-License-Identifier: Apache-2.0
"""One training run: a dataset folder, a config and a seed in, an artefact and figures out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import lightning
import numpy as np
import torch

from export.bid_predictor import graph, lit, parity, pca
from export.bid_predictor.artefact import F32_FILE, FEATURE_LAYOUT, MODEL_FILE, PCA_FILE
from export.bid_predictor.batches import tensors
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.network import TTTiny
from export.bid_predictor.scores import score
from export.bid_predictor.warm import start_from
from export.bid_predictor.windows import Windows, load_windows, split
from export.llm.onnx_writer import OPSET
from export.model_manifest import ModelManifest, dataset_hash, hash_files

NAME = "bid_predictor"
VERSION = "1"
READ = ("bids.parquet", "contexts.parquet")
_SAMPLE = 50_000


@dataclass(frozen=True)
class Trained:
    """Where the artefact is, and its figures on conversations kept out of training."""

    folder: Path
    metrics: dict[str, float]


def train(
    dataset: Path,
    config: TrainConfig,
    seed: int,
    out: Path,
    progress: bool = False,
    *,
    start: Path | None = None,
) -> Trained:
    """Train on `dataset`, write model.onnx, pca.safetensors and manifest.json to `out`.

    The same dataset, config and seed on the same machine give the same bytes.

    Args:
        start: a version to go on from, with its PCA; by default training begins anew.

    Raises:
        ExportError: as `load_windows`, and as `start_from` where there is a `start`.
    """
    torch.set_num_threads(1)
    lightning.seed_everything(seed, verbose=False)
    training, held = prepared(dataset, config, seed)
    if start is None:
        features, label = tensors(sample(training, _SAMPLE, seed))
        network = TTTiny(config, pca.fit(features.numpy()))
        network.start_linear(features, label)
    else:
        network = start_from(start, config)
    reduction = pca.Pca(network.pca_mean.numpy(), network.pca_components.numpy())
    lit.fit(network, training, config, seed, progress)
    held = sample(held, _SAMPLE, seed)
    metrics = {f"validation.{k}": v for k, v in _validation(network, held).items()}
    metrics["pca.cosine_drop"] = pca.cosine_drop(reduction, held.features())
    metrics |= {f"parity.{k}": v for k, v in parity.check(network, held).as_dict().items()}
    out.mkdir(parents=True, exist_ok=True)
    graph.write(graph.build(network, int8=True), out / MODEL_FILE)
    graph.write(graph.build(network, int8=False), out / F32_FILE)
    reduction.save(out)
    _manifest(dataset, config, seed, out, metrics).write(out)
    return Trained(out, metrics)


def prepared(dataset: Path, config: TrainConfig, seed: int) -> tuple[Windows, Windows]:
    """(training, validation) windows as a run with this config sees them."""
    return split(sample(load_windows(dataset), config.max_rows, seed), config.validation, seed)


def sample(windows: Windows, most: int, seed: int) -> Windows:
    """All rows, or `most` of them drawn once and kept in order."""
    if len(windows) <= most:
        return windows
    rows = np.random.default_rng(seed).choice(len(windows), most, replace=False)
    return windows.take(np.sort(rows))


def _validation(network: TTTiny, held: Windows) -> dict[str, float]:
    return score(lit.forecast(network, held), held.label).as_dict()


def _manifest(
    dataset: Path, config: TrainConfig, seed: int, out: Path, metrics: dict[str, float]
) -> ModelManifest:
    return ModelManifest(
        name=NAME,
        version=VERSION,
        files=hash_files(out, [MODEL_FILE, PCA_FILE]),
        inputs={"FEATURES": "FP32[-1,150]"},
        outputs={"MIXTURE": "FP32[-1,5]"},
        metrics={key: round(value, 6) for key, value in metrics.items()},
        dataset_sha256=dataset_hash(dataset, READ),
        seed=seed,
        created_by=f"python -m export.bid_predictor train --dataset DIR --out DIR --seed {seed}",
        details={
            "feature_layout": FEATURE_LAYOUT,
            "opset": OPSET,
            "weights": "int8 per output channel; centring, PCA, linear path and activations f32",
            "config": asdict(config),
        },
    )
