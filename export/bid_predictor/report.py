# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/bid_predictor.md: a shipped folder against three baselines on held-out data.

The baselines are fitted here, on the training folder, with the same config and seed; the Bi-GRU
takes as many steps as TT-Tiny took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lightning
import numpy as np
import onnx
import torch
from torch import Tensor

from export.bid_predictor import lit, parity, plot, quantise, robustness, tables
from export.bid_predictor.artefact import F32_FILE, MODEL_FILE, verify
from export.bid_predictor.baselines import BiGru, Ewma, LogNormal, Model, Neural
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.draws import draw
from export.bid_predictor.evaluation import Held, evaluate
from export.bid_predictor.runtime import OnnxForecaster
from export.bid_predictor.scores import score
from export.bid_predictor.training import prepared, sample
from export.bid_predictor.windows import Windows

HELD_ROWS = 60_000
TT_TINY = "TT-Tiny int8"


def baselines(
    dataset: Path, config: TrainConfig, seed: int, progress: bool = False
) -> dict[str, Model]:
    """The three that the report compares with, fitted on the training part of `dataset`."""
    torch.set_num_threads(1)
    training, _ = prepared(dataset, config, seed)
    some = sample(training, 300_000, seed)
    lightning.seed_everything(seed, verbose=False)
    gru = BiGru()
    lit.fit(gru, training, config, seed, progress)
    return {
        "log-normal": LogNormal.fit(some),
        "EWMA": Ewma.fit(some),
        "Bi-GRU": Neural(gru),
    }


def report(
    model: Path, dataset: Path, held: Sequence[Path], svg: Path, progress: bool = False
) -> str:
    """Markdown tables; the plot goes to `svg`. Raises `ExportError` as `verify`."""
    manifest = verify(model)
    config = TrainConfig(**manifest.details["config"])
    served = OnnxForecaster(model / MODEL_FILE)
    models: dict[str, Model] = {TT_TINY: served}
    models |= baselines(dataset, config, manifest.seed, progress)
    worlds = [Held.load(folder, HELD_ROWS) for folder in held]
    parts = []
    for world in worlds:
        parts.append(tables.accuracy(evaluate(models, world)))
    plot.draw(models, worlds[0].windows, svg)
    draws = draw(seed=11)
    for name in (TT_TINY, "EWMA", "Bi-GRU"):
        rows = robustness.run(models[name], draws)
        parts.append(f"{name}\n\n{tables.robust(rows)}\n{robustness.gate(rows)}\n")
    parts.append(_contexts(served, worlds[0].windows))
    if (model / F32_FILE).is_file():
        parts.append(_variants(model, worlds[0].windows))
    return "\n".join(parts)


def _variants(model: Path, windows: Windows) -> str:
    """The ways to int8, each against the f32 graph on the same rows, and 5 rows on one thread."""
    graph = onnx.load(model / F32_FILE)
    plain = OnnxForecaster(model / F32_FILE)
    some = sample(windows, 8192, seed=0)
    calibration = sample(windows, 2048, seed=1).features()
    stored = {
        "f32": (model / F32_FILE).read_bytes(),
        "int8 weights (shipped)": (model / MODEL_FILE).read_bytes(),
        "int8 dynamic": quantise.dynamic(graph),
        "int8 static": quantise.static(graph, calibration),
    }
    rows = []
    for name, content in stored.items():
        variant = OnnxForecaster(content)
        figures = parity.compare(plain(some), plain, variant, some)
        rows.append(tables.variant(name, len(content), figures, variant.latency_us()))
    return tables.table(tables.VARIANT, rows)


def _contexts(model: Model, windows: Windows) -> str:
    """RMSE with the rows' own contexts and with random directions in their place."""
    own, strange = model(windows), strange_contexts(model, windows)
    before, after = score(own, windows.label), score(strange, windows.label)
    return (
        f"RMSE with its own contexts {before.rmse:.4f}, with random directions {after.rmse:.4f}; "
        f"KS {before.ks:.3f}, {after.ks:.3f}\n"
    )


def strange_contexts(model: Model, windows: Windows, seed: int = 0) -> Tensor:
    """The forecast with every context replaced by a random unit vector."""
    vectors = np.random.default_rng(seed).standard_normal(windows.contexts.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return model(replace(windows, contexts=vectors.astype(np.float32)))
