# SPDX-License-Identifier: Apache-2.0
"""`bid_predictor` in the real server: right answers, typed errors, a version swapped under load."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from bls.brain.features import F32, MEAN, build
from bls.contracts import CTX
from bls.errors import SkynetError
from export.manifest import file_sha256
from tests.models.stub import write_version
from tests.predictor_server.conftest import PredictorServer


def features(rows: int, seed: int = 0) -> F32:
    rng = np.random.default_rng(seed)
    ctx = rng.normal(size=CTX) / np.sqrt(CTX)
    return build(ctx, rng.normal(size=(rows, 15)), np.full(rows, 3))


def ask(client: grpc.InferenceServerClient, values: F32) -> F32:
    tensor = grpc.InferInput("FEATURES", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    mixture: F32 = client.infer("bid_predictor", [tensor]).as_numpy("MIXTURE")
    return mixture


def until(true: object, seconds: float = 10.0) -> None:
    stop = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < stop
        time.sleep(0.05)


@pytest.mark.parametrize("rows", [1, 4, 64])
def test_rows_in_mixtures_out(server: PredictorServer, rows: int) -> None:
    values = features(rows)
    mixture = ask(server.client(), values)
    assert mixture.shape == (rows, 5)
    np.testing.assert_allclose(mixture[:, 0], values[:, MEAN], rtol=1e-5)
    np.testing.assert_allclose(mixture[:, [1, 3, 4]], np.tile([0.2, 0.4, 0.7], (rows, 1)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_a_typed_error(
    server: PredictorServer, bad: float
) -> None:
    values = features(3)
    values[1, 130] = bad
    with pytest.raises(InferenceServerException) as caught:
        ask(server.client(), values)
    error = SkynetError.from_wire(caught.value.message())
    assert (error.code, error.status) == ("bad_features", 400)
    assert ask(server.client(), features(3)).shape == (3, 5)
    until(lambda: server.series("cbp_errors_total").get('code="bad_features"'))


@pytest.mark.spec("CBP-C-02")
def test_latency_on_a_cpu(server: PredictorServer) -> None:
    """1,000 one-row requests; the seed's p95 of 25 ms on 16 cores, here on whatever there is."""
    client, values, took = server.client(), features(1), []
    for _ in range(1_000):
        began = time.perf_counter()
        ask(client, values)
        took.append(time.perf_counter() - began)
    p50, p95, p99 = np.percentile(np.array(took) * 1e3, [50, 95, 99])
    print(f"bid_predictor over gRPC, 1 row: p50 {p50:.2f} p95 {p95:.2f} p99 {p99:.2f} ms")
    assert p95 <= 25
    until(lambda: server.series("cbp_requests_total")[""] >= 1_000)
    buckets = server.series("cbp_latency_seconds_bucket")
    assert 0 < buckets['le="0.025"'] <= buckets['le="+Inf"']


@pytest.mark.spec("CBP-C-04")
def test_a_version_is_swapped_while_requests_stream_in(server: PredictorServer) -> None:
    """No request fails, each is answered by one version whole, the new SHA is on /metrics."""
    failures: list[Exception] = []
    alphas: list[float] = []
    done = threading.Event()

    def stream() -> None:
        client, values = server.client(), features(2)
        while not done.is_set():
            try:
                mixture = ask(client, values)
                assert mixture[0, 4] == mixture[1, 4]
                alphas.append(float(mixture[0, 4]))
            except Exception as fault:
                failures.append(fault)

    threads = [threading.Thread(target=stream) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(alphas) > 200, 20)
        second = write_version(server.models / "second", (0, 0.2, 0.5, 0.4, 0.25), "2")
        server.point_at(second)
        sha256 = file_sha256(second / "manifest.json")
        label = f'sha256="{sha256}",version="second"'
        until(lambda: server.series("cbp_model_info").get(label) == 1, 20)
        count = len(alphas)
        until(lambda: len(alphas) > count + 200, 20)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures
    changed = [late != early for early, late in zip(alphas, alphas[8:], strict=False)]
    assert alphas[0] == pytest.approx(0.7) and alphas[-1] == pytest.approx(0.25)
    assert sum(server.series("cbp_model_info").values()) == 1
    assert server.series("cbp_reload_ms")[""] > 0
    assert any(changed)
    events = (server.logs / "model_reload.event").read_text().splitlines()
    last = json.loads(events[-1])
    assert last["new_sha"] == sha256 and last["old_sha"] and last["duration_ms"] > 0


@pytest.mark.spec("CBP-C-03")
def test_a_version_without_its_pca_is_refused_and_the_old_one_serves(
    server: PredictorServer,
) -> None:
    before = ask(server.client(), features(2))
    third = write_version(server.models / "third", (0, 1, 0, 1, 0.5), "3")
    (third / "pca.safetensors").unlink()
    server.point_at(third)
    until(lambda: server.series("cbp_reload_failures_total").get('code="pca_missing"'))
    assert server.series("cbp_alerts_total")['alert="PCA_MISSING"'] >= 1
    np.testing.assert_array_equal(ask(server.client(), features(2)), before)
