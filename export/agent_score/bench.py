# SPDX-License-Identifier: Apache-2.0
"""`python -m export.agent_score.bench`: what one update of a session's score costs.

An update is one event taken by `SessionFeatures`, its tensors, and a score. onnxruntime alone is
the floor of the work, a Python model that answers zeros (`floor/`) that of the way; then the Python
object that serves; then both over gRPC to a Triton of its own, or to a running one (`--server`, a
`skynet serve`'s, which has no floor). One session a request; processor time (of this thread, so
without the server's) beside elapsed time, because a busy machine stretches the latter.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tritonclient import grpc

from bls.contracts import AGENT_GRAPH, AGENT_SCORE
from bls.models.pointer import FolderPointer
from bls.phantom.actions import NAMES
from bls.phantom.features import SessionFeatures
from bls.phantom.scorer import Scorer
from bls.phantom.session import SessionEvent
from bls.settings import REPOSITORY, Settings
from client.launcher.stack import Stack
from export.agent_score.artefact import MODEL_FILE, SHIPPED
from export.agent_score.sessions import F32
from export.agent_score.tables import table

GOAL_MS = 2.0
FLOOR = Path(__file__).parent / "floor"
_EVENTS = 200
"""Of a session before it is begun anew."""

Score = Callable[[F32, F32], Any]


def events(count: int, seed: int = 0) -> list[SessionEvent]:
    """A random visit."""
    rng = np.random.default_rng(seed)
    acts, items = (rng.integers(most, size=count).tolist() for most in (len(NAMES), 60))
    return [
        SessionEvent(NAMES[act], f"h{item:02d}", 1_000 * at, 300)
        for at, (act, item) in enumerate(zip(acts, items, strict=True))
    ]


def timed(score: Score, updates: int) -> tuple[list[float], list[float]]:
    """Elapsed and this thread's processor milliseconds of each update."""
    visit, features = events(_EVENTS), SessionFeatures()
    elapsed, busy = [], []
    for at, event in zip(range(updates), itertools.cycle(visit), strict=False):
        if at % _EVENTS == 0:
            features = SessionFeatures()
        wall, thread = time.perf_counter(), time.thread_time()
        features.push(event)
        score(features.transitions()[None], features.stats()[None])
        elapsed.append(1e3 * (time.perf_counter() - wall))
        busy.append(1e3 * (time.thread_time() - thread))
    return elapsed, busy


def bare(folder: Path) -> Score:
    """onnxruntime alone, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
    )
    names = [tensor.name for tensor in AGENT_GRAPH.inputs]
    return lambda *asked: session.run(None, dict(zip(names, asked, strict=True)))


def served(folder: Path) -> Score:
    """The Python object, with a session's key."""
    scorer = Scorer(FolderPointer(folder))
    scorer.models.champion.poll()
    keys = np.array([7], np.uint64)
    return lambda counts, stats: scorer.answer(counts, stats, keys)


def over_grpc(address: str, model: str) -> Score:
    """A model of a running server."""
    client = grpc.InferenceServerClient(address)
    key = np.array([[7]], np.uint64)

    def score(counts: F32, stats: F32) -> Any:
        asked = []
        parts: list[NDArray[Any]] = [counts, stats, key]
        for tensor, values in zip(AGENT_SCORE.inputs, parts, strict=True):
            one = grpc.InferInput(tensor.name, list(values.shape), tensor.dtype)
            one.set_data_from_numpy(values)
            asked.append(one)
        return client.infer(model, asked).as_numpy("PROBABILITY")

    return score


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Address of a Triton with this version of `agent_score`, and with `floor`."""
    with tempfile.TemporaryDirectory() as place:
        repository = Path(place) / "repository"
        repository.mkdir()
        for model in (REPOSITORY / "model_repository" / AGENT_SCORE.name, FLOOR):
            (repository / model.name).symlink_to(model)
        settings = Settings(
            state=Path(place) / "state",
            agent_model=str(folder.resolve()),
            triton_grpc_port=0,
            triton_metrics_port=0,
        )
        with Stack(settings, repository=repository, gateway=False) as stack:
            yield stack.triton_address


def row(name: str, score: Score, updates: int) -> list[str]:
    """Of the table, after 50 updates to warm up."""
    timed(score, 50)
    elapsed, busy = timed(score, updates)
    figures = [*np.percentile(elapsed, [50, 95, 99]), *np.percentile(busy, [50, 95])]
    return [name, *(f"{value:.3f}" for value in figures)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m export.agent_score.bench", description=__doc__)
    parser.add_argument("--model", type=Path, default=SHIPPED, help="folder of a version")
    parser.add_argument("--server", metavar="HOST:PORT", help="of a running Triton's gRPC")
    parser.add_argument("--updates", type=int, default=2_000)
    options = parser.parse_args(arguments)
    ways: dict[str, Score] = {
        "features alone": lambda counts, stats: None,
        "onnxruntime alone": bare(options.model),
        "the served object": served(options.model),
    }
    rows = [row(name, score, options.updates) for name, score in ways.items()]
    with nullcontext(options.server) if options.server else server(options.model) as address:
        if not options.server:
            zeros = over_grpc(address, FLOOR.name)
            rows.append(row("Triton, a model that answers zeros", zeros, options.updates))
        whole = over_grpc(address, AGENT_SCORE.name)
        rows.append(row("Triton over gRPC", whole, options.updates))
    head = ["one update", "ms p50", "p95", "p99", "processor ms p50", "p95"]
    print(table(head, rows))
    print(f"goal: p95 <= {GOAL_MS} ms through Triton; {options.updates} updates,", end=" ")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
