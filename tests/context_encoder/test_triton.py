# SPDX-License-Identifier: Apache-2.0
"""`context_encoder` inside the real Triton server: the library's vectors, typed errors."""

from __future__ import annotations

import dataclasses
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from tritonclient import grpc

from bls.brain.context.encoder import ContextEncoder
from bls.errors import SkynetError
from bls.settings import REPOSITORY, Settings
from client.launcher.stack import Stack

TEXTS = ["A weekend in Lisbon", "Light running shoes", "A weekend in Lisbon"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    repository = tmp_path_factory.mktemp("models")
    (repository / "context_encoder").symlink_to(REPOSITORY / "model_repository" / "context_encoder")
    settings = dataclasses.replace(
        Settings(),
        state=tmp_path_factory.mktemp("state"),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )
    with Stack(settings, repository=repository, gateway=False) as stack:
        yield stack


def ask(stack: Stack, texts: list[str | bytes]) -> np.ndarray:
    tensor = grpc.InferInput("TEXT", [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(texts, np.object_).reshape(-1, 1))
    client = grpc.InferenceServerClient(stack.triton_address)
    answer: np.ndarray = client.infer("context_encoder", [tensor]).as_numpy("CTX")
    return answer


def test_the_same_bits_as_the_library(stack: Stack, encoder: ContextEncoder) -> None:
    assert (ask(stack, TEXTS) == encoder.encode(TEXTS)).all()
    assert (ask(stack, TEXTS[:1]) == encoder.encode(TEXTS[:1])).all()
    full = [f"ad number {number}" for number in range(32)]
    assert ask(stack, full).shape == (32, 128)


@pytest.mark.parametrize(("text", "code"), [(" ", "empty_text"), (b"\xff\xfe", "bad_text")])
def test_refusals_are_typed(stack: Stack, text: str | bytes, code: str) -> None:
    with pytest.raises(grpc.InferenceServerException) as raised:
        ask(stack, ["fine", text])
    assert SkynetError.from_wire(raised.value.message()).code == code


def test_more_than_32_are_refused(stack: Stack) -> None:
    with pytest.raises(grpc.InferenceServerException):
        ask(stack, ["x"] * 33)


def test_counted(stack: Stack) -> None:
    with urllib.request.urlopen(stack.metrics_url, timeout=5) as page:
        assert "mro_ctx_cache_hits_total" in page.read().decode()
