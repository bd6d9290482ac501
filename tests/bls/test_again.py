# SPDX-License-Identifier: Apache-2.0
"""The last logits once more: what a token needs when something beside the model failed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.llm.engine import Engine
from bls.llm.jobs import Again, Prefill, Step
from bls.llm.session import LLMSession, SessionOptions
from export.llm.tiny import ensure_tiny_llm
from tests.bls.engine_client import EngineClient

ROWS = ((3, 4, 5, 6, 7, 8, 9, 10, 11), (3, 4, 5, 6, 7, 8, 9, 10, 12))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    folder = ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))
    engine = Engine(LLMSession(folder, SessionOptions(threads=1, rows=64)))
    engine.start()
    yield EngineClient(engine)
    engine.stop()


def test_the_same_bits_and_nothing_computed(client: EngineClient) -> None:
    first = client.prefill(1, ROWS)
    other = client.prefill(2, ROWS)
    batches = client.engine.stats.batches
    assert np.array_equal(client.again(1, 0), first)
    assert np.array_equal(client.again(1, 0), first), "as often as one likes"
    assert client.engine.stats.batches == batches
    second = client.step(1, 2, 5)
    client.step(2, 2, 9)  # another conversation leaves our rows alone
    assert np.array_equal(client.again(1, 1), second)
    assert not np.array_equal(second, other)
    third = client.step(1, 2, 6)
    assert not np.array_equal(third, second), "the reply goes on where it was"
    client.end(1)
    client.end(2)


@pytest.mark.parametrize("index", [-1, 0, 2])
def test_only_the_last_token_is_kept(client: EngineClient, index: int) -> None:
    client.prefill(3, ROWS)
    client.step(3, 2, 5)
    with pytest.raises(SkynetError) as caught:
        client.again(3, index)
    assert caught.value.code == "not_the_last_token"
    client.end(3)


def test_a_lost_conversation_has_none(client: EngineClient) -> None:
    with pytest.raises(SkynetError) as caught:
        client.again(99, 0)
    assert caught.value.code == "unknown_conversation"


def test_logits_under_way_are_waited_for(client: EngineClient) -> None:
    """A step or a prompt that is being computed: both askers get the same bits."""
    prompt = client.submit(lambda reply: Prefill(5, 0, ROWS, reply))
    again = client.submit(lambda reply: Again(5, 0, reply))
    assert np.array_equal(client.wait(prompt), client.wait(again))
    step = client.submit(lambda reply: Step(5, 2, 7, reply))
    again = client.submit(lambda reply: Again(5, 1, reply))
    assert np.array_equal(client.wait(step), client.wait(again))
    client.end(5)


def test_a_conversation_that_ends_answers_who_waits(client: EngineClient) -> None:
    client.submit(lambda reply: Prefill(6, 0, ROWS, reply))
    again = client.submit(lambda reply: Again(6, 3, reply))
    client.end(6)
    with pytest.raises(SkynetError) as caught:
        client.wait(again)
    assert caught.value.code in {"unknown_conversation", "not_the_last_token"}
    assert client.engine.stats.rows_in_use == 0
