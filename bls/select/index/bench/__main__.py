# SPDX-License-Identifier: Apache-2.0
"""Build an index of many vectors within memory, and measure it.

python -m bls.select.index.bench --ads FILE.tsv:title,text --chats FILE.jsonl --count 10000000
python -m bls.select.index.bench --vectors FILE.f16 --chats FILE.jsonl      (fp16 [n, 128], raw)
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

import faiss
import numpy as np

from bls.select.index import build
from bls.select.index.bench import measure, synthetic, truth
from bls.select.index.bench.real import Real, real
from bls.select.index.flat import Flat
from bls.select.index.ivfpq import F16, IvfPq
from bls.select.index.params import IvfPqParams
from bls.select.index.protocol import I64
from bls.settings import REPOSITORY

_MIB = 2**20


def main() -> None:
    """Print everything; `--out` also writes it as JSON."""
    options = _options()
    faiss.omp_set_num_threads(options.threads)
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; one query at a time")
    texts = real(options.ads, options.chats, options.work, options.queries, options.centres)
    path = options.vectors or options.work / f"vectors-{options.count}.f16"
    if options.vectors is None:
        _synthesise(path, texts, options)
    vectors = build.map_vectors(path)
    params = IvfPqParams.of(len(vectors))
    figures: dict[str, object] = {"rows": len(vectors), "params": vars(params)}
    print(f"rows {len(vectors)}, {params}")
    began = time.perf_counter()
    expected = _truth(options, texts, vectors)
    print(f"exact answers of {len(texts.queries)} queries: {time.perf_counter() - began:.0f} s")
    if len(vectors) <= options.flat:
        print(measure.HEAD)
        flat = Flat(vectors.astype(np.float32))
        figures["flat"] = measure.line("flat, exact", flat, texts.queries, expected)
    saved = options.work / f"index-{len(vectors)}.faiss"
    if options.reuse and saved.is_file():
        index, took = faiss.read_index(str(saved)), build.Built(len(vectors), 0, 0)
    else:
        index, took = build.built(vectors, params, options.seed, options.threads, _progress)
        faiss.write_index(index, str(saved))
    sizes = {"vectors": path.stat().st_size / _MIB, "index": saved.stat().st_size / _MIB}
    print(
        f"trained in {took.train_s:.0f} s, added in {took.add_s:.0f} s on {options.threads} "
        f"threads; {sizes['vectors']:.0f} MiB of vectors, {sizes['index']:.0f} MiB of index; "
        f"peak {_peak():.0f} MiB of memory, mapped pages included"
    )
    figures |= {"build": vars(took), "mib": sizes, "peak_mib": _peak()}
    searched = IvfPq(index, vectors, params)
    figures["sweeps"] = measure.sweeps(searched, texts.queries, expected)
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _synthesise(path: Path, texts: Real, options: argparse.Namespace) -> None:
    mixture = synthetic.Mixture(texts.base)
    sample = np.concatenate(list(mixture.chunks(len(texts.base), options.seed + 1)))
    for name, vectors in (("real", texts.base), ("synthetic", sample)):
        first, tenth = synthetic.spread(texts.queries, vectors)
        print(f"cosine to the nearest, tenth of {len(vectors)} {name}: {first:.4f}, {tenth:.4f}")
    if path.is_file() and path.stat().st_size == 2 * texts.base.shape[1] * options.count:
        return
    began = time.perf_counter()
    build.write_vectors(mixture.chunks(options.count, options.seed), path)
    print(f"synthesised {options.count} vectors in {time.perf_counter() - began:.0f} s", flush=True)


def _truth(options: argparse.Namespace, texts: Real, vectors: F16) -> I64:
    kept = options.work / f"truth-{len(vectors)}-{len(texts.queries)}.npy"
    if options.reuse and kept.is_file():
        found: I64 = np.load(kept, allow_pickle=False)
        return found
    found = truth.nearest(texts.queries, vectors, measure.K)
    np.save(kept, found)
    return found


def _progress(step: str, done: int, of: int) -> None:
    if done == of or done % (10 * build.CHUNK) == 0:
        print(f"  {step}: {done} of {of}", flush=True)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bls.select.index.bench", description=__doc__)
    parser.add_argument("--ads", action="append", default=[], help="texts to imitate")
    parser.add_argument("--chats", action="append", required=True, help="texts, and the queries")
    parser.add_argument("--vectors", type=Path, help="real vectors instead of synthetic ones")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--centres", type=int, default=12_000, help="most chats imitated")
    parser.add_argument("--threads", type=int, default=2, help="of the build alone")
    parser.add_argument("--reuse", action="store_true", help="the index built before")
    parser.add_argument("--flat", type=int, default=1_000_000, help="most rows also searched flat")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=REPOSITORY / ".cache" / "index_bench")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
