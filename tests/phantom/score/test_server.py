# SPDX-License-Identifier: Apache-2.0
"""`agent_score` in the real server: scores, typed errors, a swap under load, a canary."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from bls.errors import SkynetError
from bls.models.model_key import canary_key, model_key
from bls.models.models import chosen
from bls.models.served import served_id
from bls.reply.draw import conversation
from export.agent_score import bench
from tests.one_model import ModelServer, one_model, sha256_of
from tests.phantom.score.stub import write_version

KEYS = np.array([[conversation(f"s{number}")] for number in range(60)], np.uint64)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """Serves what is shipped."""
    folder = tmp_path_factory.mktemp("agent_score")
    with one_model("agent_score", folder) as running:
        running.until(lambda: 1 in running.series("phantom_score_model_info").values())
        yield running


def ask(server: ModelServer, counts: np.ndarray | None = None) -> dict[str, np.ndarray]:
    rows = np.zeros((60, 15, 14), np.float32) if counts is None else counts
    stats = np.zeros((len(rows), 16), np.float32)
    return server.infer(server.client(), TRANSITIONS=rows, STATS=stats, KEY=KEYS[: len(rows)])


def marks(server: ModelServer) -> list[float]:
    return np.round(ask(server)["PROBABILITY"][:, 0].astype(float), 3).tolist()


@pytest.mark.spec("PH-08")
@pytest.mark.parametrize("rows", [1, 60])
def test_sessions_in_scores_out(server: ModelServer, rows: int) -> None:
    counts = np.random.default_rng(0).poisson(1, (rows, 15, 14)).astype(np.float32)
    found = ask(server, counts)
    assert found["PROBABILITY"].shape == (rows, 1) and found["DIVERGENCE"].shape == (rows, 2)
    assert ((found["PROBABILITY"] > 0) & (found["PROBABILITY"] < 1)).all()
    assert (found["DIVERGENCE"] > 0).all()


@pytest.mark.spec("PH-13")
@pytest.mark.parametrize("bad", [np.nan, -1.0])
def test_what_is_no_session_is_a_typed_error(server: ModelServer, bad: float) -> None:
    counts = np.zeros((2, 15, 14), np.float32)
    counts[1, 3, 3] = bad
    with pytest.raises(InferenceServerException) as caught:
        ask(server, counts)
    error = SkynetError.from_wire(caught.value.message())
    assert (error.code, error.status) == ("bad_session", 400)
    server.until(lambda: server.series("phantom_score_errors_total").get('code="bad_session"'))
    with pytest.raises(InferenceServerException):
        ask(server, np.zeros((2, 14, 14), np.float32))
    assert len(ask(server)["PROBABILITY"]) == 60


@pytest.mark.spec("PH-08")
def test_a_version_is_swapped_while_requests_stream_in(server: ModelServer) -> None:
    """No request fails, and each is answered by one version whole; then a canary by key."""
    failures: list[Exception] = []
    seen: list[set[float]] = []
    done = threading.Event()

    def stream() -> None:
        while not done.is_set():
            try:
                seen.append(set(marks(server)))
            except Exception as fault:
                failures.append(fault)

    threads = [threading.Thread(target=stream) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        server.until(lambda: len(seen) > 20, 30)
        first = write_version(server.models / "agent" / "first", 0.25)
        server.publish(model_key("agent"), first)
        server.until(lambda: seen[-1] == {0.25}, 30)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert all(len(answer) == 1 for answer in seen)
    assert set(ask(server)["SERVED"][:, 0].tolist()) == {served_id(sha256_of(first))}

    second = write_version(server.models / "agent" / "second", 0.5)
    server.publish(canary_key("agent"), second, 0.4)
    wanted = [0.5 if own else 0.25 for own in chosen(KEYS[:, 0], 0.4)]
    server.until(lambda: marks(server) == wanted, 30)
    server.until(lambda: server.series("orch_agent_canary_rows_total").get("", 0) > 0)
    server.publish(model_key("agent"), second, sha256="0" * 64)
    code = 'code="model_hash_mismatch"'
    server.until(lambda: server.series("phantom_score_reload_failures_total").get(code), 30)
    assert marks(server) == wanted, "nothing changed"
    server.publish(canary_key("agent"), second, 0.0)
    server.until(lambda: set(marks(server)) == {0.25}, 30)
    events = (server.logs / "model_reload.event").read_text().splitlines()
    assert any(json.loads(line)["new_sha"] == sha256_of(first) for line in events)


@pytest.mark.spec("PH-08")
def test_the_bench_prints_every_way(
    server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.main(["--server", server.stack.triton_address, "--updates", "30"])
    told = capsys.readouterr().out
    for way in ("features alone", "onnxruntime alone", "the served object", "Triton over gRPC"):
        assert way in told
    server.until(lambda: server.series("phantom_score_requests_total")[""] >= 30)
    buckets = server.series("phantom_score_latency_seconds_bucket")
    assert 0 < buckets['le="0.05"'] <= buckets['le="+Inf"']
