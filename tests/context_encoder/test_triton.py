# SPDX-License-Identifier: Apache-2.0
"""`context_encoder` inside the real Triton server: the library's vectors, typed errors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tritonclient import grpc

from bls.brain.context import axes
from bls.brain.context.encoder import ContextEncoder
from bls.brain.context.live_axes import KEY
from bls.errors import SkynetError
from bls.models.served import served_id
from tests.context_encoder.versions import turned, write_axes
from tests.one_model import ModelServer, one_model, sha256_of

TEXTS = ["A weekend in Lisbon", "Light running shoes", "A weekend in Lisbon"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    with one_model("context_encoder", tmp_path_factory.mktemp("encoder")) as running:
        yield running


def ask(server: ModelServer, texts: list[str | bytes]) -> np.ndarray:
    given = [text.encode() if isinstance(text, str) else text for text in texts]
    return server.infer(server.client(), TEXT=np.array(given, object).reshape(-1, 1))["CTX"]


def test_the_same_bits_as_the_library(server: ModelServer, encoder: ContextEncoder) -> None:
    assert (ask(server, TEXTS) == encoder.encode(TEXTS)).all()
    assert (ask(server, TEXTS[:1]) == encoder.encode(TEXTS[:1])).all()
    full = [f"ad number {number}" for number in range(32)]
    assert ask(server, full).shape == (32, 128)


@pytest.mark.parametrize(("text", "code"), [(" ", "empty_text"), (b"\xff\xfe", "bad_text")])
def test_refusals_are_typed(server: ModelServer, text: str | bytes, code: str) -> None:
    with pytest.raises(grpc.InferenceServerException) as raised:
        ask(server, ["fine", text])
    assert SkynetError.from_wire(raised.value.message()).code == code


def test_more_than_32_are_refused(server: ModelServer) -> None:
    with pytest.raises(grpc.InferenceServerException):
        ask(server, ["x"] * 33)


def test_counted(server: ModelServer) -> None:
    assert server.series("mro_ctx_cache_hits_total")


def test_new_axes_are_put_to_work_while_requests_run(
    server: ModelServer, encoder: ContextEncoder
) -> None:
    """Last in this file: the server goes on with other axes."""
    client, text = server.client(), np.array([[b"A weekend in Lisbon"]], object)
    shipped = int(server.infer(client, TEXT=text)["SERVED"][0, 0])
    folder = write_axes(server.models / "axes" / "axes_1", 1)
    server.publish(KEY, folder)
    fresh = served_id(sha256_of(folder))
    server.until(lambda: server.infer(client, TEXT=text)["SERVED"][0, 0] == fresh)
    wanted = axes.project(turned(1), encoder.embedding("A weekend in Lisbon"))
    assert (server.infer(client, TEXT=text)["CTX"][0] == wanted).all()
    before = server.infer(client, TEXT=text, AXES=np.array([[shipped]], np.uint64))
    assert before["SERVED"][0, 0] == shipped
    assert (before["CTX"] == encoder.encode(["A weekend in Lisbon"])).all()
    with pytest.raises(grpc.InferenceServerException) as raised:
        server.infer(client, TEXT=text, AXES=np.array([[1]], np.uint64))
    assert SkynetError.from_wire(raised.value.message()).code == "axes_unknown"
    server.until(lambda: server.series("mro_axes_key_version") == {"": 1.0})
