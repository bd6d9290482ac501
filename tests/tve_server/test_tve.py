# SPDX-License-Identifier: Apache-2.0
"""`tve` in the real server: right curves, typed errors, a version swapped under load."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from bls.brain.curve import value_curve
from bls.contracts import AD_TOKENS, CTX, TVE
from bls.errors import SkynetError
from export.manifest import file_sha256
from tests.one_model import ModelServer, point_at
from tests.tve_server.stub import CURVE, write_version

ADS = ("A fine hotel, book now.", "HALF PRICE", "x " * 200, "Ein schönes Hotel ☀", "z")


def contexts(rows: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(0).normal(size=(rows, CTX))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def ask(
    server: ModelServer,
    client: grpc.InferenceServerClient,
    ctx: NDArray[np.float32],
    ads: Sequence[str | bytes],
) -> dict[str, NDArray[np.generic]]:
    texts = [ad.encode() if isinstance(ad, str) else ad for ad in ads]
    ad = np.array(texts, object).reshape(-1, 1)
    return server.infer(client, CTX=ctx, AD=ad, KEY=np.zeros((len(ads), 1), np.uint64))


@pytest.mark.parametrize("rows", [1, 4, 32])
def test_pairs_in_curves_out(server: ModelServer, rows: int) -> None:
    ctx = contexts(rows)
    ads = [ADS[row % len(ADS)] for row in range(rows)]
    found = ask(server, server.client(), ctx, ads)
    for tensor in TVE.outputs:
        assert found[tensor.name].shape == (rows, *tensor.dims)
    wanted = np.tile(np.array(CURVE, np.float32), (rows, 1))
    wanted[:, 0] += ctx[:, 0]
    np.testing.assert_allclose(found["CURVE"], wanted, rtol=1e-6)
    count = found["COUNT"][:, 0]
    assert (count >= 1).all() and (count <= AD_TOKENS).all()
    curve = found["CURVE"]
    gain, loss = value_curve(curve[:, 0], curve[:, 1], curve[:, 2], count)
    assert np.array_equal(found["DV"], gain) and np.array_equal(found["LOSS"], loss)
    if rows > 2:
        assert count[2] == AD_TOKENS  # a long ad is cut


def test_a_row_does_not_depend_on_its_neighbours(server: ModelServer) -> None:
    ctx = contexts(len(ADS))
    together = ask(server, server.client(), ctx, ADS)
    for row, ad in enumerate(ADS):
        alone = ask(server, server.client(), ctx[row : row + 1], [ad])
        for name, values in alone.items():
            assert np.array_equal(values[0], together[name][row]), name


@pytest.mark.parametrize(
    ("ad", "code"),
    [
        ("", "empty_ad"),
        (" \n ", "empty_ad"),
        (b"\xff\xfe", "bad_text"),
        ("a" * 20_000, "ad_too_long"),
    ],
)
def test_an_ad_that_cannot_be_read_is_a_typed_error(
    server: ModelServer, ad: str | bytes, code: str
) -> None:
    with pytest.raises(InferenceServerException) as caught:
        ask(server, server.client(), contexts(2), [ADS[0], ad])
    error = SkynetError.from_wire(caught.value.message())
    assert (error.code, error.status) == (code, 400)
    assert ask(server, server.client(), contexts(1), ADS[:1])["COUNT"][0, 0] > 1
    server.until(lambda: server.series("tve_errors_total").get(f'code="{code}"'))


def test_a_context_that_is_not_finite_is_a_typed_error(server: ModelServer) -> None:
    ctx = contexts(2)
    ctx[1, 3] = np.nan
    with pytest.raises(InferenceServerException) as caught:
        ask(server, server.client(), ctx, ADS[:2])
    assert SkynetError.from_wire(caught.value.message()).code == "bad_ctx"


@pytest.mark.spec("TVE-C-05")
def test_a_curve_out_of_range_is_a_400(server: ModelServer) -> None:
    """The stub's v_max follows CTX[0]: a context that is far off the unit sphere breaks it."""
    ctx = contexts(1)
    ctx[0, 0] = -9
    with pytest.raises(InferenceServerException) as caught:
        ask(server, server.client(), ctx, ADS[:1])
    error = SkynetError.from_wire(caught.value.message())
    assert (error.code, error.status) == ("bad_curve", 400)
    server.until(lambda: server.series("tve_param_errors_total").get("", 0) >= 1)
    server.until(lambda: "bad_curve" in (server.logs / "tve.param.error").read_text())


@pytest.mark.spec("TVE-C-04")
def test_a_version_is_swapped_while_requests_stream_in(server: ModelServer) -> None:
    """No request fails, each is answered by one version whole, the new SHA is on /metrics."""
    failures: list[Exception] = []
    slopes: list[float] = []
    done = threading.Event()

    def stream() -> None:
        client, ctx = server.client(), contexts(3)
        while not done.is_set():
            try:
                curve = ask(server, client, ctx, ADS[:3])["CURVE"]
                assert (curve[:, 1] == curve[0, 1]).all()
                slopes.append(float(curve[0, 1]))
            except Exception as fault:
                failures.append(fault)

    threads = [threading.Thread(target=stream) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        server.until(lambda: len(slopes) > 100)
        second = write_version(server.models / "second", (2.0, 1.5, 4.0, 0.3), "2")
        point_at(second)
        sha256 = file_sha256(second / "manifest.json")
        label = f'sha256="{sha256}",version="second"'
        server.until(lambda: server.series("tve_model_info").get(label) == 1)
        count = len(slopes)
        server.until(lambda: len(slopes) > count + 100)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert slopes[0] == pytest.approx(0.5) and slopes[-1] == pytest.approx(1.5)
    assert server.series("tve_reload_ms")[""] > 0
    last = json.loads((server.logs / "model_reload.event").read_text().splitlines()[-1])
    assert last["new_sha"] == sha256 and last["old_sha"] and last["duration_ms"] > 0


@pytest.mark.parametrize(
    ("name", "curve"), [("flat", (2.0, 0.0, 4.0, 0.3)), ("early", (2.0, 0.5, 0.5, 0.3))]
)
def test_a_version_with_a_bad_curve_is_refused_and_the_old_one_serves(
    server: ModelServer, name: str, curve: tuple[float, ...]
) -> None:
    before = ask(server, server.client(), contexts(2), ADS[:2])
    refused = server.series("tve_reload_failures_total").get('code="bad_curve"', 0)
    point_at(write_version(server.models / name, curve))
    server.until(
        lambda: server.series("tve_reload_failures_total").get('code="bad_curve"', 0) > refused
    )
    after = ask(server, server.client(), contexts(2), ADS[:2])
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_every_curve_is_logged(server: ModelServer) -> None:
    ask(server, server.client(), contexts(1), ADS[:1])
    server.until((server.logs / "tve.curve.debug").exists)
    line = json.loads((server.logs / "tve.curve.debug").read_text().splitlines()[-1])
    assert {"ts", "req_id", "Vmax", "a", "k0", "monotone"} <= line.keys() and line["monotone"]
