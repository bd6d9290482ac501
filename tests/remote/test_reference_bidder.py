# SPDX-License-Identifier: Apache-2.0
"""The reference bidder, real on both ends: a tiny model behind the worker, another behind gRPC."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from bls.bidding import Seat
from bls.contracts import PAD
from bls.llm.supervisor import Supervisor, WorkerOptions
from bls.prompt.rows import PromptBuilder
from bls.prompt.template import ChatTemplate
from bls.remote.bidder import Bidder
from bls.remote.exchange import Exchange
from bls.remote.reference_bidder import ReferenceBidder, best, serve
from bls.remote.remote_bidder_pb2 import Open, Turn
from bls.remote.vocabulary import Vocabulary
from bls.request import Message
from export.llm.tiny import ensure_tiny_llm
from export.manifest import LLMManifest
from tests.remote.fake_worker import Client, endpoint
from tests.remote.scripted_bidder import until

AD = "Recommend the harbour hotel, rooms with a view."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def reference(model: Path) -> Iterator[ReferenceBidder]:
    reference = ReferenceBidder(model, AD, threads=1)
    reference.start()
    yield reference
    reference.stop()


@pytest.fixture(scope="module")
def client(model: Path, reference: ReferenceBidder) -> Iterator[Client]:
    """An exchange over a supervised worker; bidder 0 sends full logits, bidder 1 the best 8."""
    server, port = serve(reference, 0)
    ours = Vocabulary.load(model)
    fields = {"target": f"127.0.0.1:{port}", "vocabulary": ours.sha256.hex(), "deadline_ms": 1_000}
    bidders = [
        Bidder(name, endpoint(**fields, top_k=top_k), ours)
        for name, top_k in (("whole", 0), ("best", 8))
    ]
    worker = Supervisor(WorkerOptions(sys.executable, model, threads=1, rows=16, spin=False))
    worker.start()
    exchange = Exchange(worker, bidders)
    exchange.start()
    yield Client(exchange)
    exchange.stop()
    worker.stop()
    server.stop(grace=None).wait(5)


def rows(model: Path, *seats: Seat) -> np.ndarray:
    manifest = LLMManifest.load(model)
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    template = ChatTemplate(manifest.chat_template, tokenizer)
    chat = (Message(role="user", content="Where shall we stay by the sea?"),)
    builder = PromptBuilder(template, tuple(manifest.special_tokens))
    prompts = builder.build(builder.split(chat), seats).rows
    width = max(map(len, prompts))
    return np.array([row + (PAD,) * (width - len(row)) for row in prompts], np.int32)


def test_a_remote_row_is_what_the_local_row_would_be(model: Path, client: Client) -> None:
    """The same ad prompt gives the same logits, here and there, up to f16 on the wire."""
    seats = (Seat("near", AD, 1.0), Seat("whole", "", 1.0, 0), Seat("best", "", 1.0, 1))
    ids = rows(model, *seats)
    assert ids[2:, 0].tolist() == [-2, -3]
    exchange = client.exchange
    logits = client._wait(lambda answer: exchange.prefill(5, 0, ids, answer))
    for _ in range(6):
        reference, near, whole, few = logits
        assert not np.array_equal(reference, near)
        np.testing.assert_allclose(whole, near, rtol=1e-3, atol=1e-3)
        assert whole.argmax() == near.argmax() == few.argmax()
        kept = np.argsort(near)[-8:]
        assert np.array_equal(few[kept], near[kept])
        assert len(np.unique(np.delete(few, kept))) == 1
        mass = np.exp(few.astype(float)).sum()
        assert mass == pytest.approx(np.exp(near.astype(float)).sum(), rel=1e-4)
        logits = client.step(5, 4, int(near.argmax()))
    client.end(5)
    until(lambda: exchange.stats.streams == 0)


def test_rows_are_freed_when_a_stream_ends(client: Client, reference: ReferenceBidder) -> None:
    engine = reference._engine
    client.prefill(6, 0, 1)
    assert engine.stats.rows_in_use == 2
    client.end(6)
    until(lambda: engine.stats.rows_in_use == 0)


def test_another_vocabulary_is_refused(reference: ReferenceBidder) -> None:
    class Context:
        def abort(self, code: object, details: str) -> None:
            raise RuntimeError(details)

    turns = iter([Turn(open=Open(vocabulary=bytes(32), prompt=[1]))])
    with pytest.raises(RuntimeError, match="another vocabulary"):
        next(reference.bid(turns, Context()))


def test_best_of_a_whole_vocabulary() -> None:
    logits = np.array([1.0, 3.0, 2.0], np.float32)
    everything = best(logits, 5)
    assert sorted(everything.id) == [0, 1, 2] and not everything.HasField("floor")
    two = best(logits, 2)
    assert sorted(two.id) == [1, 2] and two.floor == pytest.approx(1.0)
