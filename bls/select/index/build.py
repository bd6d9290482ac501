# SPDX-License-Identifier: Apache-2.0
"""An IVF-PQ index out of a stream of vectors, in bounded memory.

The vectors go to a file as they come; a sample of the file trains the index, then it is read again
chunk by chunk. Memory is the sample, a chunk, and the index itself (72 bytes a row).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from bls.contracts import CTX
from bls.select.index.ivfpq import F16
from bls.select.index.params import BITS, LARGE, IvfPqParams
from bls.select.index.protocol import F32

Progress = Callable[[str, int, int], None]
"""Told (step, done, of all); all is 0 where it is not known."""

CHUNK = 131_072
_SAMPLE = 65_536
_NEIGHBOURS = 32  # of a node of the graph of cells
_ROUNDS = 10


@dataclass(frozen=True)
class Built:
    """What a build took."""

    rows: int
    train_s: float
    add_s: float


def silent(step: str, done: int, of: int) -> None:
    """No progress."""


def write_vectors(chunks: Iterable[F32], path: Path, progress: Progress = silent) -> int:
    """Write f32 [m, 128] chunks as fp16, little-endian, one after another; the number of rows."""
    rows = 0
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(np.ascontiguousarray(chunk, "<f2").tobytes())
            rows += len(chunk)
            progress("vectors", rows, 0)
    return rows


def map_vectors(path: Path) -> F16:
    """The file of `write_vectors`, mapped to memory: fp16 [n, 128], read-only."""
    rows, rest = divmod(path.stat().st_size, 2 * CTX)
    if rest:
        raise ValueError("not a file of whole vectors")
    if not rows:
        return np.empty((0, CTX), np.float16)
    return np.memmap(path, "<f2", "r", shape=(rows, CTX))


def train(vectors: F16 | F32, params: IvfPqParams, seed: int = 0, threads: int = 1) -> Any:
    """An empty, trained `IndexIVFPQFastScan`; the same vectors and seed give the same index."""
    faiss.omp_set_num_threads(threads)
    rng = np.random.default_rng(seed)
    count = min(len(vectors), max(_SAMPLE, 40 * params.nlist))
    rows = np.sort(rng.choice(len(vectors), count, replace=False))
    index = empty(params)
    index.cp.seed = index.pq.cp.seed = seed
    index.cp.niter = index.pq.cp.niter = _ROUNDS
    index.train(vectors[rows].astype(np.float32))
    index.nprobe = params.nprobe
    return index


def add(index: Any, vectors: F16 | F32, threads: int = 1, progress: Progress = silent) -> None:
    """Add every row, in order: ids are positions."""
    faiss.omp_set_num_threads(threads)
    for at in range(0, len(vectors), CHUNK):
        part = vectors[at : at + CHUNK].astype(np.float32)
        index.add(part)
        progress("codes", at + len(part), len(vectors))


def built(
    vectors: F16 | F32,
    params: IvfPqParams,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> tuple[Any, Built]:
    """A whole index of the vectors, and what it took."""
    began = time.perf_counter()
    progress("training", 0, len(vectors))
    index = train(vectors, params, seed, threads)
    trained = time.perf_counter()
    add(index, vectors, threads, progress)
    return index, Built(len(vectors), trained - began, time.perf_counter() - trained)


def empty(params: IvfPqParams) -> Any:
    """An untrained `faiss.IndexIVFPQFastScan`."""
    metric = faiss.METRIC_INNER_PRODUCT
    cells: Any
    if params.nlist >= LARGE:
        cells = faiss.IndexHNSWFlat(CTX, _NEIGHBOURS, metric)
    else:
        cells = faiss.IndexFlatIP(CTX)
    index = faiss.IndexIVFPQFastScan(cells, CTX, params.nlist, params.m, BITS, metric)
    index.by_residual = True  # a code says how a row differs from its cell
    cells.this.disown()  # the index frees it, also after this function
    index.own_fields = True
    return index
