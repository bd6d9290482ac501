# SPDX-License-Identifier: Apache-2.0
"""From pairs to a version that `/cg/lora` can name: peft's files and their manifest.

The same pairs, seed and number of threads give the same file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from bls.llm.adapter_file import CONFIG, WEIGHTS
from bls.prompt.template import ChatTemplate
from export.errors import ExportError
from export.llm.api import ensure_llm
from export.llm.sources import AUTO, resolve
from export.lora.base import load_base
from export.lora.dpo import DPOConfig, Score, adapted, evaluate, train
from export.lora.encode import Batch, encode
from export.lora.pairs import Pair, digest
from export.manifest import LLMManifest
from export.model_manifest import ModelManifest, hash_files

Tell = Callable[[str], None]
LEAST = 8
"""Fewer pairs are no data."""


@dataclass(frozen=True)
class Tuned:
    """`folder` has the version; `before` and `after` are of the held-out pairs."""

    folder: Path
    model: Any
    before: Score
    after: Score
    metrics: dict[str, float]


@dataclass(frozen=True)
class Recipe:
    """What is trained and how. `held`: share of the pairs that is only looked at."""

    source: str = AUTO
    config: DPOConfig = field(default_factory=DPOConfig)
    seed: int = 0
    held: float = 0.2
    threads: int = 1
    created_by: str = "python -m export.lora"


def fine_tune(
    pairs: Sequence[Pair], recipe: Recipe, cache: Path, out: Path, tell: Tell = lambda line: None
) -> Tuned:
    """Train and write `out`. Raises `no_pairs`, or what the reader of the source raises."""
    if len(pairs) < LEAST:
        raise ExportError("no_pairs", f"at least {LEAST} pairs, got {len(pairs)}")
    torch.set_num_threads(recipe.threads)
    folder = ensure_llm(recipe.source, cache)
    exported = LLMManifest.load(folder, verify=False)
    train_on, held = _batches(pairs, recipe, folder, exported)
    base = load_base(resolve(recipe.source).open())
    model = adapted(base, recipe.config, recipe.seed)
    before = evaluate(model, held, recipe.config)
    tell(f"before: {before}")
    train(model, train_on, recipe.config, lambda n, loss: tell(f"step {n} loss {loss:.4f}"))
    after = evaluate(model, held, recipe.config)
    tell(f"after: {after}")
    metrics = {f"before_{k}": v for k, v in asdict(before).items()} | {
        f"after_{k}": v for k, v in asdict(after).items()
    }
    metrics["pairs"] = float(len(pairs))
    _save(model, out)
    _manifest(out, pairs, recipe, exported, metrics).write(out)
    return Tuned(out, model, before, after, metrics)


def _batches(
    pairs: Sequence[Pair], recipe: Recipe, folder: Path, exported: LLMManifest
) -> tuple[list[Batch], list[Batch]]:
    """(training, held-out)."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    template = ChatTemplate(exported.chat_template, tokenizer)
    mean = sum(pair.weight for pair in pairs) / len(pairs)
    kept = max(1, round(len(pairs) * recipe.held))
    size, end = recipe.config.batch, exported.eos_ids[0]

    def batched(some: Sequence[Pair]) -> list[Batch]:
        parts = [some[i : i + size] for i in range(0, len(some), size)]
        return [encode(part, template, end, mean) for part in parts]

    return batched(pairs[kept:]), batched(pairs[:kept])


def _save(model: Any, out: Path) -> None:
    """peft's two files, and nothing else that it writes."""
    scratch = out.with_name(f".{out.name}.peft")
    shutil.rmtree(scratch, ignore_errors=True)
    model.save_pretrained(str(scratch), safe_serialization=True)
    out.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, WEIGHTS):
        shutil.move(scratch / name, out / name)
    shutil.rmtree(scratch)


def _manifest(
    out: Path,
    pairs: Sequence[Pair],
    recipe: Recipe,
    exported: LLMManifest,
    metrics: dict[str, float],
) -> ModelManifest:
    return ModelManifest(
        name="lora",
        version=out.name,
        files=hash_files(out, (CONFIG, WEIGHTS)),
        inputs={},
        outputs={},
        metrics=metrics,
        dataset_sha256=digest(pairs),
        seed=recipe.seed,
        created_by=recipe.created_by,
        details={
            "base_sha256": exported.source_sha256,
            "base": exported.name,
            "method": "dpo",
            **asdict(recipe.config),
        },
    )
