# SPDX-License-Identifier: Apache-2.0
"""A remote bidder that works: an exported LLM with an ad prompt, behind `RemoteBidder`.

    python -m bls.remote.reference_bidder --model FOLDER --ad "Recommend our hotel." --port 7070

It writes its advertiser's prompt into the row it is sent, as the exchange does for the advertisers
whose rows it computes itself, so that both give the same logits. Every stream has a thread; all
share one engine, which batches them. Plaintext on loopback only; put a TLS proxy in front to serve
others.
"""

from __future__ import annotations

import argparse
import dataclasses
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.llm.engine import Engine
from bls.llm.jobs import End, Job, Prefill, Reply, Span, Step
from bls.llm.prefix_store import common_prefix
from bls.llm.session import LLMSession, SessionOptions
from bls.prompt.template import ChatTemplate
from bls.prompt.template import Turn as ChatTurn
from bls.remote.remote_bidder_pb2 import Full, LogitChunk, Open, TopK, Turn
from bls.remote.service import bid_handler
from bls.remote.vocabulary import Vocabulary

ROWS = 16
"""Replies served at once; a KV row each."""


class AdTurn:
    """What an ad prompt adds to a row, and how far from its end."""

    def __init__(self, template: ChatTemplate, ad: str) -> None:
        chat = [ChatTurn("system", "x"), ChatTurn("user", "x")]
        without = template.render(chat, reply_header=True)
        row = template.render([*chat, ChatTurn("system", ad)], reply_header=True)
        shared = common_prefix(tuple(without), tuple(row))
        self._after = len(without) - shared
        self._ad = tuple(row[shared : len(row) - self._after])

    def put_into(self, prompt: tuple[int, ...]) -> tuple[int, ...]:
        """The advertiser's row for the reference row `prompt`."""
        at = len(prompt) - self._after
        return prompt[:at] + self._ad + prompt[at:]


class ReferenceBidder:
    """`bid` is the service's one method: one call per reply, on a thread of its own."""

    def __init__(self, model: Path, ad: str, threads: int) -> None:
        session = LLMSession(model, SessionOptions(threads=threads, rows=ROWS, spin=False))
        manifest = session.manifest
        tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self._logits = session.logits
        self._ad = AdTurn(ChatTemplate(manifest.chat_template, tokenizer), ad)
        self._engine = Engine(session, dataclasses.replace(LIMITS, kv_rows=ROWS, prefix_slots=4))
        self.vocabulary = Vocabulary.of(tokenizer, manifest.vocab)

    def start(self) -> None:
        self._engine.start()

    def stop(self) -> None:
        self._engine.stop()

    def bid(self, turns: Iterator[Turn], context: Any) -> Iterator[LogitChunk]:
        """A chunk per announcement; the KV row is freed when the stream ends, however it ends."""
        opening = next(turns).open
        if opening.vocabulary != self.vocabulary.sha256:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "another vocabulary")
        conv = opening.conversation
        prompt = self._ad.put_into(tuple(opening.prompt))
        try:
            logits = self._ask(partial(Prefill, conv, conv, (prompt,)))
            yield self._chunk(opening, 0, logits)
            for turn in turns:
                if not turn.HasField("next"):
                    return
                logits = self._ask(partial(Step, conv, 1, turn.next.token))
                yield self._chunk(opening, turn.next.index, logits)
        finally:
            self._engine.submit(End(conv, lambda result: None))

    def _ask(self, job: Callable[[Reply], Job]) -> NDArray[np.float32]:
        """One row of logits. Raises `SkynetError`, which ends the stream."""
        answers: queue.SimpleQueue[Span | SkynetError] = queue.SimpleQueue()
        self._engine.submit(job(answers.put))
        answer = answers.get()
        if isinstance(answer, SkynetError):
            raise answer
        row: NDArray[np.float32] = self._logits[answer.start]
        return row

    def _chunk(self, opening: Open, index: int, logits: NDArray[np.float32]) -> LogitChunk:
        chunk = LogitChunk(index=index, vocabulary=self.vocabulary.sha256)
        if opening.top_k:
            chunk.top_k.CopyFrom(best(logits, opening.top_k))
        else:
            chunk.full.CopyFrom(Full(type=Full.F16, values=logits.astype("<f2").tobytes()))
        return chunk


def best(logits: NDArray[np.float32], k: int) -> TopK:
    """The k largest logits; what is left has the mean of its own probability as floor."""
    k = min(k, len(logits))
    ids = np.argpartition(logits, len(logits) - k)[len(logits) - k :]
    top = TopK(id=ids.tolist(), logit=logits[ids].tolist())
    if k < len(logits):
        rest = np.delete(logits, ids)
        most = rest.max()
        top.floor = float(most + np.log(np.exp(rest - most).mean()))
    return top


def serve(bidder: ReferenceBidder, port: int) -> tuple[grpc.Server, int]:
    """A started server on loopback and its port; port 0 takes a free one."""
    server = grpc.server(ThreadPoolExecutor(ROWS), maximum_concurrent_rpcs=ROWS)
    server.add_generic_rpc_handlers((bid_handler(bidder.bid),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bls.remote.reference_bidder")
    parser.add_argument("--model", type=Path, required=True, help="folder of an exported LLM")
    parser.add_argument("--ad", required=True, help="the advertiser's prompt")
    parser.add_argument("--port", type=int, default=7070)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    bidder = ReferenceBidder(arguments.model, arguments.ad, arguments.threads)
    bidder.start()
    server, port = serve(bidder, arguments.port)
    print(f"bidding on 127.0.0.1:{port}, vocabulary {bidder.vocabulary.sha256.hex()}", flush=True)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    done.wait()
    server.stop(grace=0.5).wait()
    bidder.stop()


if __name__ == "__main__":
    main()
