# SPDX-License-Identifier: Apache-2.0
"""What adapters cost: a decode step of 4 rows of which 0, 1 or 3 have one, and a prompt of 128.

    python -m perf_analyzer_configs.bench.adapters [--model FOLDER] [--threads N] [--rounds 40]

The kinds of step take turns, so a busy machine slows all of them alike: read the ratios. `plain` is
the graph without adapters, which serves steps that have none.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from bls.limits import LIMITS
from bls.llm.adapter_file import CONFIG, WEIGHTS
from bls.llm.kv_cache import KVCache
from bls.llm.session import LLMSession, SessionOptions
from bls.models.served import served_id
from bls.settings import Settings
from export.llm.tiny import write_safetensors
from export.manifest import MANIFEST_NAME, LLMManifest, file_sha256
from export.model_manifest import ModelManifest, hash_files

_PAST, _PROMPT = 512, 128
_STEPS = {"plain": 0, "1 of 4": 1, "3 of 4": 3}


def random_adapter(folder: Path, model: LLMManifest, seed: int) -> Path:
    """Rank 64, on Q and V of every layer."""
    rng = np.random.default_rng(seed)
    widths = {"q": model.heads * model.head_dim, "v": model.kv_heads * model.head_dim}
    rank = LIMITS.adapter_rank
    tensors = {
        f"base_model.model.model.layers.{n}.self_attn.{kind}_proj.lora_{part}.weight": rng.normal(
            0, 0.02, shape
        ).astype(np.float32)
        for n in range(model.layers)
        for kind, width in widths.items()
        for part, shape in (("A", (rank, model.hidden)), ("B", (width, rank)))
    }
    folder.mkdir()
    config = {"r": rank, "lora_alpha": rank, "target_modules": ["q_proj", "v_proj"]}
    (folder / CONFIG).write_text(json.dumps(config))
    write_safetensors(folder / WEIGHTS, tensors)
    files = hash_files(folder, (CONFIG, WEIGHTS))
    ModelManifest(folder.name, "1", files, {}, {}, {}, "", seed, "bench").write(folder)
    return folder


class Bench:
    """One session, three adapters."""

    def __init__(self, model: Path, threads: int) -> None:
        before = _rss_mb()
        self.session = LLMSession(model, SessionOptions(threads, LIMITS.kv_rows))
        self.figures: dict[str, float] = {"plain_session_mb": _rss_mb() - before}
        bank = self.session.bank
        if bank is None:
            raise SystemExit("the model has no graph for adapters: python -m export.llm --force")
        with tempfile.TemporaryDirectory() as scratch:
            for seed in range(3):
                folder = random_adapter(Path(scratch, f"a{seed}"), self.session.manifest, seed)
                sha256 = file_sha256(folder / MANIFEST_NAME)
                bank.claim(served_id(sha256))
                began, held = time.perf_counter(), _rss_mb()
                bank.load(served_id(sha256), folder, sha256)
                self.figures[f"load_{seed + 1}_ms"] = 1e3 * (time.perf_counter() - began)
                self.figures[f"load_{seed + 1}_mb"] = _rss_mb() - held
        self.cache = KVCache(self.session.manifest, 4, LIMITS.row_tokens)

    def step(self, adapted: int) -> float:
        """Seconds of a decode step of 4 rows, the last `adapted` with an adapter each."""
        slots = np.array([-1, -1, -1, -1], np.int64)
        slots[4 - adapted :] = np.arange(adapted)
        tokens, past = np.arange(4, dtype=np.int64) + 100, np.full(4, _PAST, np.int32)
        began = time.perf_counter()
        self.session.decode(self.cache, 0, tokens, past, slots if adapted else None)
        return time.perf_counter() - began

    def prompt(self, adapted: bool) -> float:
        """Seconds of a prompt chunk of one row."""
        ids = np.random.default_rng(0).integers(20, 40_000, _PROMPT)
        began = time.perf_counter()
        self.session.prefill(self.cache, 0, ids, 0, 0 if adapted else -1)
        return time.perf_counter() - began

    def run(self, rounds: int) -> None:
        steps: dict[str, list[float]] = {name: [] for name in _STEPS}
        prompts: dict[bool, list[float]] = {False: [], True: []}
        for turn in range(rounds + 3):
            for name, adapted in _STEPS.items():
                took = self.step(adapted)
                if turn >= 3:
                    steps[name].append(took)
            if turn % 8 == 0:
                for kind, times in prompts.items():
                    times.append(self.prompt(kind))
        for name, times in steps.items():
            self.figures[f"step {name} p50_ms"] = 1e3 * float(np.median(times))
            self.figures[f"step {name} best_ms"] = 1e3 * min(times)
            pairs = np.array(times) / np.array(steps["plain"])
            self.figures[f"step {name} ratio"] = float(np.median(pairs))
        self.figures["prompt plain best_ms"] = 1e3 * min(prompts[False])
        self.figures["prompt adapted best_ms"] = 1e3 * min(prompts[True])


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    bench = Bench(arguments.model or Settings().llm_folder(), arguments.threads)
    bench.run(arguments.rounds)
    for name, value in bench.figures.items():
        print(f"{name:24s} {value:9.2f}")


if __name__ == "__main__":
    main()
