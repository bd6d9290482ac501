# SPDX-License-Identifier: Apache-2.0
"""From labelled texts to a version folder: train, quantise, choose thresholds, measure, hash."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from bls.guard.normal import normal
from export.errors import ExportError
from export.guard import sources
from export.guard.card import CARD, card
from export.guard.choose import choose
from export.guard.config import GuardConfig
from export.guard.network import Classifier, Unsafe
from export.guard.onnx_export import INPUTS, MODEL, OUTPUTS, write
from export.guard.report import METRICS, report, score
from export.guard.sources import CALIBRATION, HELD, TRAIN, Labelled
from export.guard.tokens import TOKENIZER, train_tokenizer
from export.guard.train import fit
from export.model_manifest import ModelManifest, dataset_hash, hash_files

NAME = "policy_guard"
_FILES = (MODEL, TOKENIZER, METRICS)
_UNTIL_CHOSEN = {"user": 0.5, "ad": 0.5, "reply": 0.5}
_LEAST = 200


@dataclass(frozen=True)
class Built:
    """A version folder and the figures in its manifest."""

    folder: Path
    metrics: Mapping[str, float]


def train(data: Path, out: Path, config: GuardConfig, seed: int, most: int = 0) -> Built:
    """All of it; `most` texts of a part for a smoke run, 0 for all.

    Raises `ExportError` `no_data`.
    """
    parts = _some(sources.load(data), most, seed)
    if sum(one.unsafe for one in parts[TRAIN]) < _LEAST:
        raise ExportError("no_data", f"fewer than {_LEAST} unsafe texts to train on")
    tokenizer = train_tokenizer([normal(one.text) for one in parts[TRAIN]], config.vocabulary)
    model = fit(parts[TRAIN], tokenizer, config, seed)
    digest = dataset_hash(data, sources.FILES)
    return publish(model, tokenizer, parts, out, config=config, seed=seed, digest=digest)


def publish(
    model: Classifier,
    tokenizer: Tokenizer,
    parts: Mapping[str, Sequence[Labelled]],
    out: Path,
    *,
    config: GuardConfig,
    seed: int,
    digest: str,
) -> Built:
    """Write the folder of a trained network: graph, tokenizer, figures, card, manifest."""
    out.mkdir(parents=True, exist_ok=True)
    write(Unsafe(model), out / MODEL)
    (out / TOKENIZER).write_text(tokenizer.to_str() + "\n", "utf-8")
    said = options(config)
    about: dict[str, Any] = {"config": said, "seed": seed, "digest": digest}
    _manifest(out, (MODEL, TOKENIZER), _UNTIL_CHOSEN, {}, **about).write(out)
    calibration, held = (
        _fewer_chats(parts[part], config.measured_chats) for part in (CALIBRATION, HELD)
    )
    thresholds = choose(_by_source(out, calibration))
    metrics = report(held, score(out, held), thresholds)
    (out / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    text = card("1", metrics, thresholds, said, seed=seed, digest=digest)
    (out / CARD).write_text(text, "utf-8")
    figures = _figures(metrics)
    _manifest(out, _FILES, thresholds, figures, **about).write(out)
    return Built(out, figures)


def options(config: GuardConfig) -> dict[str, Any]:
    """The options as JSON has them."""
    found = {name: getattr(config, name) for name in config.__dataclass_fields__}
    return found | {"weights": dict(config.weights)}


def _some(
    parts: Mapping[str, list[Labelled]], most: int, seed: int
) -> Mapping[str, Sequence[Labelled]]:
    if not most:
        return parts
    rng = random.Random(seed)
    return {part: rng.sample(texts, min(most, len(texts))) for part, texts in parts.items()}


def _fewer_chats(texts: Sequence[Labelled], most: int) -> list[Labelled]:
    """All texts, but chats evenly thinned out."""
    chats = [one for one in texts if one.source == "chats"]
    chats = chats[:: max(1, -(-len(chats) // most))]
    return [one for one in texts if one.source != "chats"] + chats


def _by_source(out: Path, texts: Sequence[Labelled]) -> dict[str, list[float]]:
    safe = [one for one in texts if not one.unsafe]
    found: dict[str, list[float]] = defaultdict(list)
    for one, value in zip(safe, score(out, safe), strict=True):
        found[one.source].append(value)
    return dict(found)


def _figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """One number each, for the manifest and a gate."""
    found: dict[str, float] = {}
    for use in ("user", "ad"):
        whole = metrics[use]["rules_and_classifier"]
        for name in ("fp_rate", "fn_rate"):
            if whole[name]["rate"] is not None:
                found[f"{use}_{name}"] = whole[name]["rate"]
        for source, one in whole["wrong_by_source"].items():
            found[f"{use}_{source}_wrong"] = one["rate"]
    return found


def _manifest(
    out: Path,
    files: Sequence[str],
    thresholds: Mapping[str, float],
    figures: Mapping[str, float],
    *,
    config: Mapping[str, Any],
    seed: int,
    digest: str,
) -> ModelManifest:
    return ModelManifest(
        name=NAME,
        version="1",
        files=hash_files(out, files),
        inputs=INPUTS,
        outputs=OUTPUTS,
        metrics=dict(figures),
        dataset_sha256=digest,
        seed=seed,
        created_by=f"python -m export.guard --data FOLDER --out FOLDER --seed {seed}",
        details={
            "thresholds": dict(thresholds),
            "max_tokens": config["tokens"],
            "quantisation": "int8 weights, dynamic activations",
            "config": dict(config),
        },
    )
