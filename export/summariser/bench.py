# SPDX-License-Identifier: Apache-2.0
"""`python -m export.summariser.bench`: `condense` through Triton, and its worker killed.

Chats of 1,000 to 6,000 tokens, each new to every cache, then the same again; then the worker of the
summariser is killed and the time until there are summaries again is told. No data is needed: chats
are made of the sentences that the parity report has.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tritonclient import grpc

from bls.condense.summariser import TOKENIZER
from bls.contracts import CONDENSE, SUMMARISER
from bls.limits import LIMITS
from bls.settings import REPOSITORY, Settings
from client.launcher.stack import Stack

GOAL_MS = 150.0
_KINDS = {"INT32": np.int32, "UINT64": np.uint64}


def heads(tokenizer: Tokenizer, tokens: int, count: int, seed: int) -> list[NDArray[np.int32]]:
    """`count` heads of chats that are `tokens` long."""
    lines = files("export.llm").joinpath("parity_chats.jsonl").read_text().splitlines()
    said = [turn["content"] for line in lines for turn in json.loads(line)["turns"]]
    sentences = [s.strip() + "." for text in said for s in text.split(".") if len(s.split()) > 3]
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        text = "\n".join(f"User: {' '.join(draw.choices(sentences, k=3))}" for _ in range(tokens))
        ids = tokenizer.encode(text[: 8 * tokens], add_special_tokens=False).ids
        found.append(np.array(ids[: tokens - LIMITS.tail_tokens], np.int32))
    return found


class Condense:
    """The model over gRPC."""

    def __init__(self, address: str) -> None:
        self._client = grpc.InferenceServerClient(address)

    def __call__(self, head: NDArray[np.int32], salt: int) -> tuple[float, int]:
        """Milliseconds, and how many summaries."""
        values: tuple[NDArray[Any], ...] = (head, np.array([salt], np.uint64))
        asked = []
        for tensor, value in zip(CONDENSE.inputs, values, strict=True):
            one = grpc.InferInput(tensor.name, list(value.shape), tensor.dtype)
            one.set_data_from_numpy(value.astype(_KINDS[tensor.dtype]))
            asked.append(one)
        began = time.perf_counter()
        answer = self._client.infer(CONDENSE.name, asked)
        return 1e3 * (time.perf_counter() - began), len(answer.as_numpy("LENGTHS"))


def _told(name: str, took: Sequence[float]) -> None:
    p50, p95 = np.quantile(took, [0.5, 0.95])
    print(f"{name:28} {p50:8.1f} {p95:8.1f}", flush=True)


def run(policy: str, chats: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="condense-") as folder:
        repository = Path(folder) / "repository"
        repository.mkdir()
        for model in (SUMMARISER.name, CONDENSE.name):
            (repository / model).symlink_to(REPOSITORY / "model_repository" / model)
        settings = Settings(
            state=Path(folder) / "state",
            condense=policy,
            port=0,
            triton_grpc_port=0,
            triton_metrics_port=0,
        )
        tokenizer = Tokenizer.from_file(str(settings.llm_folder() / TOKENIZER))
        with Stack(settings, repository=repository, gateway=False) as stack:
            condense = Condense(stack.triton_address)
            _measure(condense, tokenizer, policy, chats)
            _kill(condense, stack, heads(tokenizer, 1_000, 1, seed=9)[0])


def _measure(condense: Condense, tokenizer: Tokenizer, policy: str, chats: int) -> None:
    print(f"policy {policy}; {chats} chats a line; goal for 6,000 tokens: p95 <= {GOAL_MS:g} ms")
    print(f"{'tokens':28} {'p50 ms':>8} {'p95 ms':>8}")
    for tokens in (1_000, 3_000, 6_000):
        some = heads(tokenizer, tokens, chats, seed=tokens)
        condense(some[0], 1_000_000)  # the first request of a length warms buffers
        fresh = [condense(head, salt) for salt, head in enumerate(some)]
        if any(count != LIMITS.summaries for _, count in fresh):
            raise SystemExit("a chat had no summaries")
        _told(f"{tokens:,}, new", [ms for ms, _ in fresh])
        _told(f"{tokens:,}, in the cache", [condense(head, n)[0] for n, head in enumerate(some)])


def _kill(condense: Condense, stack: Stack, head: NDArray[np.int32]) -> None:
    server = psutil.Process(stack.child("tritonserver").pid)
    (worker,) = [
        one for one in server.children(recursive=True) if "bls.condense.worker" in one.cmdline()
    ]
    worker.kill()
    began = time.perf_counter()
    salt, longest = 2_000_000, 0.0
    while True:
        salt += 1
        ms, summaries = condense(head, salt)
        longest = max(longest, ms)
        if summaries:
            break
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    print(f"worker killed: summaries again after {seconds:.2f} s; slowest answer {longest:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m export.summariser.bench", description=__doc__)
    parser.add_argument("--policy", default="first", choices=("first", "recent", "salient"))
    parser.add_argument("--chats", type=int, default=60)
    arguments = parser.parse_args()
    run(arguments.policy, arguments.chats)


if __name__ == "__main__":
    main()
