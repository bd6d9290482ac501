# SPDX-License-Identifier: Apache-2.0
"""The engine on the tiny model: same bits alone and in company, bounded, everything freed."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS, Limits
from bls.llm.engine import Engine
from bls.llm.jobs import Away, Prefill
from bls.llm.session import LLMSession, SessionOptions
from export.llm.tiny import ensure_tiny_llm
from tests.bls.engine_client import EngineClient, Rows

SMALL = dataclasses.replace(LIMITS, kv_rows=40, prefix_slots=3, prefill_queue=4)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> LLMSession:
    folder: Path = ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))
    return LLMSession(folder, SessionOptions(threads=2, rows=SMALL.kv_rows))


def running(session: LLMSession, limits: Limits = SMALL) -> EngineClient:
    engine = Engine(session, limits)
    engine.start()
    return EngineClient(engine)


@pytest.fixture
def client(session: LLMSession) -> Iterator[EngineClient]:
    client = running(session)
    yield client
    client.engine.stop()


def chat(seed: int, rows: int = 3, shared: int = 60) -> Rows:
    """Prompt rows: a shared prefix, then a different end per row."""
    rng = np.random.default_rng(seed)
    prefix = tuple(rng.integers(3, 512, shared).tolist())
    ends = [tuple(rng.integers(3, 512, 3 + 9 * (i > 0) + i).tolist()) for i in range(rows)]
    return tuple(prefix + end for end in ends)


def test_rows_equal_plain_prefill_of_each_row(client: EngineClient, session: LLMSession) -> None:
    """Sharing the prefix and copying its KV changes nothing against prefilling every row alone."""
    rows = chat(1)
    together = client.prefill(1, rows)
    alone = [client.prefill(10 + i, (row,))[0] for i, row in enumerate(rows)]
    assert np.array_equal(together[0], alone[0])
    for i in range(1, 3):
        np.testing.assert_allclose(together[i], alone[i], rtol=0, atol=2e-5)


def test_same_bits_alone_and_among_others(session: LLMSession) -> None:
    limits = dataclasses.replace(SMALL, prefill_queue=16)
    client = running(session, limits)
    alone = client.generate(1, chat(7), 20)
    client.end(1)
    with ThreadPoolExecutor(9) as pool:
        jobs = [pool.submit(client.generate, 100 + i, chat(i, 2 + i % 3), 20) for i in range(8)]
        among = pool.submit(client.generate, 2, chat(7), 20).result()
        for job in jobs:
            job.result()
    stats = client.engine.stats
    assert among == alone
    assert stats.decode_rows > stats.batches * 3, "conversations were not batched together"
    client.engine.stop()


def test_same_bits_whatever_the_chunks(session: LLMSession) -> None:
    seen = []
    for chunk in (8, 13, 32, 200):
        limits = dataclasses.replace(SMALL, prefill_chunk_alone=chunk, prefill_chunk_busy=chunk)
        limits_client = running(session, limits)
        seen.append(limits_client.generate(1, chat(3, shared=150), 5))
        limits_client.engine.stop()
    assert all(run == seen[0] for run in seen)


@pytest.mark.spec("CG-U-06")
def test_next_turn_reuses_the_prompt_and_keeps_the_bits(client: EngineClient) -> None:
    first = chat(5, rows=2, shared=80)
    more = tuple(np.random.default_rng(9).integers(3, 512, 30).tolist())
    second = tuple(first[0][:80] + more + row[80:] for row in first)
    fresh = client.generate(1, second, 6, salt=1)
    client.end(1)
    client.prefill(2, first, salt=2)
    client.end(2)
    before = client.engine.stats.reused_tokens
    again = client.generate(3, second, 6, salt=2)
    assert client.engine.stats.reused_tokens - before >= 80
    assert again == fresh


def test_prompts_are_never_shared_across_salts(client: EngineClient) -> None:
    client.prefill(1, chat(5), salt=1)
    client.end(1)
    client.prefill(2, chat(5), salt=2)
    assert client.engine.stats.reused_tokens == 0


def test_prefix_store_is_bounded_and_forgets_the_oldest(client: EngineClient) -> None:
    for i in range(6):
        client.prefill(i, chat(i))
        client.end(i)
    assert len(client.engine._prefixes) == SMALL.prefix_slots
    client.prefill(10, chat(0))
    assert client.engine.stats.reused_tokens == 0
    client.prefill(11, chat(5))
    assert client.engine.stats.reused_tokens > 0


def test_unknown_twice_and_wrong_requests(client: EngineClient) -> None:
    rows = chat(1)
    client.prefill(1, rows)
    for code, call in (
        ("unknown_conversation", lambda: client.step(2, 3, 5)),
        ("conversation_exists", lambda: client.prefill(1, rows)),
        ("bad_step", lambda: client.step(1, 2, 5)),
        ("bad_token", lambda: client.step(1, 3, 512)),
        ("bad_token", lambda: client.prefill(5, ((1, 2, 600),))),
        ("prompt_too_long", lambda: client.prefill(6, ((3,) * 2000,))),
        ("prompt_too_long", lambda: client.prefill(7, chat(1, rows=41))),
    ):
        with pytest.raises(SkynetError) as caught:
            call()
        assert caught.value.code == code
    client.step(1, 3, 5)
    assert client.engine.stats.rows_in_use == 3


def test_end_is_idempotent_and_frees_rows(client: EngineClient) -> None:
    for _ in range(40):
        client.prefill(1, chat(1, rows=8))
        client.end(1)
        client.end(1)
    assert client.engine.stats.rows_in_use == 0


def test_full_cache_waits_for_rows_then_serves(client: EngineClient) -> None:
    client.prefill(1, chat(1, rows=40))
    waiting = client.submit(lambda reply: Prefill(2, 0, chat(2, rows=40), reply))
    time.sleep(0.1)
    assert waiting.empty()
    client.end(1)
    assert client.wait(waiting).shape[0] == 40


def test_prefill_queue_is_bounded(client: EngineClient) -> None:
    client.prefill(1, chat(1, rows=40))
    for i in range(SMALL.prefill_queue):
        client.submit(lambda reply, i=i: Prefill(10 + i, 0, chat(2), reply))
    with pytest.raises(SkynetError) as caught:
        client.prefill(99, chat(2))
    assert caught.value.code == "capacity"


def test_end_during_prefill_frees_and_answers(session: LLMSession) -> None:
    limits = dataclasses.replace(SMALL, prefill_chunk_alone=8)
    client = running(session, limits)
    prompt = client.submit(lambda reply: Prefill(1, 0, chat(1, shared=500), reply))
    client.end(1)
    with pytest.raises(SkynetError) as caught:
        client.wait(prompt)
    assert caught.value.code == "cancelled"
    assert client.engine.stats.rows_in_use == 0
    client.engine.stop()


def test_idle_conversations_are_freed(session: LLMSession) -> None:
    client = running(session, dataclasses.replace(SMALL, slot_idle_s=0.05))
    client.prefill(1, chat(1))
    time.sleep(0.1)
    client.prefill(2, chat(2))
    with pytest.raises(SkynetError, match="No such live"):
        client.step(1, 3, 5)
    assert client.engine.stats.idle_freed >= 1
    client.engine.stop()


def test_stop_answers_everything(session: LLMSession) -> None:
    client = running(session)
    client.prefill(1, chat(1, rows=40))
    waiting = client.submit(lambda reply: Prefill(2, 0, chat(2), reply))
    client.engine.stop()
    with pytest.raises(SkynetError) as caught:
        client.wait(waiting)
    assert caught.value.status == 503


def test_a_failing_batch_is_contained(
    client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.prefill(1, chat(1))
    decode = client.engine._session.decode

    def broken(*args: object) -> None:
        raise RuntimeError("device lost")

    monkeypatch.setattr(client.engine._session, "decode", broken)
    with pytest.raises(SkynetError) as caught:
        client.step(1, 3, 5)
    assert caught.value.code == "internal"
    monkeypatch.setattr(client.engine._session, "decode", decode)
    client.prefill(1, chat(1))
    client.step(1, 3, 5)
    assert client.engine.stats.failures == 1


def test_a_long_prompt_never_stalls_decoders(session: LLMSession) -> None:
    """While a prompt is prefilled, decode batches go on between its chunks."""
    limits = dataclasses.replace(SMALL, prefill_chunk_busy=8)
    client = running(session, limits)
    logits = client.prefill(1, chat(1))
    prompt = client.submit(lambda reply: Prefill(2, 0, chat(2, shared=500), reply))
    steps = 0
    while prompt.empty():
        logits = client.step(1, 3, int(logits[0].argmax()))
        steps += 1
    assert steps >= 20
    client.wait(prompt)
    client.engine.stop()


def test_nobody_waits_for_a_conversation_that_is_away(session: LLMSession) -> None:
    """A batch is held for one that just got a token, unless it is known to be busy elsewhere."""
    client = running(session, dataclasses.replace(SMALL, gather_s=0.4))

    def seconds(conv: int) -> float:
        began = time.monotonic()
        client.step(conv, 2, 9)
        return time.monotonic() - began

    client.prefill(1, chat(1, 2))
    client.prefill(2, chat(2, 2))
    assert seconds(1) >= 0.4
    client.wait(client.submit(lambda reply: Away(2, reply)))
    assert seconds(1) < 0.2
    assert seconds(2) >= 0.4, "it is back, and 1 is expected"
    assert seconds(1) >= 0.4
    client.engine.stop()


def test_steps_from_many_threads(session: LLMSession) -> None:
    """Submitting is thread-safe: every job is answered exactly once."""
    client = running(session, dataclasses.replace(SMALL, prefill_queue=16))
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda i=i: answers.append(client.generate(i, chat(i, 2), 10)[-1]))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    client.engine.stop()
