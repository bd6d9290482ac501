# SPDX-License-Identifier: Apache-2.0
"""The backend inside the real tritonserver: answers, refusals, metrics, a clean stop."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tritonclient import grpc

from kernels_cuda import oracle
from tests.kernels import triton
from tests.kernels.cases import Case, make_case


@pytest.fixture(scope="module")
def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[triton.Server]:
    folder = tmp_path_factory.mktemp("triton")
    with triton.serving(folder, built / "libtriton_auction.so") as running:
        yield running


def same_temperature(case: Case) -> np.ndarray:
    return np.full(len(case.weights), case.temperature, np.float32)


def ask(server: triton.Server, case: Case, model: str = "auction", kind: str = "FP32"):
    tensors = triton.inputs(case.logits, case.weights, same_temperature(case), kind)
    return server.client().infer(model, tensors)


def assert_answers(result, want: oracle.Outcome) -> None:
    rows = len(want.pay)
    got = {name: result.as_numpy(name) for name in triton.OUTPUTS}
    assert all(values.shape == (rows, 1) for values in got.values())
    assert (got["TOKEN"] == want.token).all()
    assert (got["REF_TOKEN"] == want.ref_token).all()
    assert (got["NEAR_TIE"] == want.near_tie).all()
    np.testing.assert_allclose(got["MARGIN"], np.full((rows, 1), want.margin), atol=2e-8)
    for name, values, tolerance in (
        ("P_TOKEN", want.p_token, 2e-8),
        ("PAY", want.pay, 2e-8),
        ("CRITICAL_BID", want.critical_bid, 1e-6),
        ("W_MINUS", want.w_minus, 1e-5),
        ("ROW_STATUS", want.row_status, 0),
        ("LOG_Z", want.log_z, 5e-8),
    ):
        np.testing.assert_allclose(got[name].ravel(), values, rtol=0, atol=tolerance)


@pytest.mark.parametrize("vocab", [1, 1000, 49_152, 50_007])
def test_answers_match_the_oracle(server, rng, vocab: int) -> None:
    for rows in (1, 4, 33):
        case = make_case(rng, rows, min(vocab, 2000) if rows == 33 else vocab)
        assert_answers(ask(server, case), oracle.auction(*case.args))


def test_audit_outputs_come_on_request(server, rng) -> None:
    case = make_case(rng, 4, 5000)
    tensors = triton.inputs(case.logits, case.weights, same_temperature(case))
    names = ["TOP_ID", "TOP_LOGIT"]
    outputs = [grpc.InferRequestedOutput(name) for name in names]
    result = server.client().infer("auction", tensors, outputs=outputs)
    ids = result.as_numpy("TOP_ID")
    assert (ids == np.argsort(-case.logits, axis=1, kind="stable")[:, :16]).all()
    assert (result.as_numpy("TOP_LOGIT") == case.logits[:, ids.ravel()]).all()


def test_a_draw_depends_on_its_key_alone(server, rng) -> None:
    case = make_case(rng, 3, 2000, scale=0.5)

    def token(*draw: int) -> int:
        tensors = triton.inputs(case.logits, case.weights, same_temperature(case), draw=(1, *draw))
        return int(server.client().infer("auction", tensors).as_numpy("TOKEN")[0, 0])

    drawn = [token(7, 1, index) for index in range(8)]
    assert drawn == [token(7, 1, index) for index in range(8)]
    assert drawn != [token(8, 1, index) for index in range(8)]
    assert drawn != [token(7, 2, index) for index in range(8)]


def test_half_precision_model(server, rng) -> None:
    case = make_case(rng, 4, 5000)
    case = Case(case.logits.astype(np.float16), case.weights, case.temperature)
    assert_answers(ask(server, case, "half", "FP16"), oracle.auction(*case.args))


def test_bfloat16_model(server, rng) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    case = make_case(rng, 4, 5000)
    case = Case(case.logits.astype(ml_dtypes.bfloat16), case.weights, case.temperature)
    assert_answers(ask(server, case, "brain", "BF16"), oracle.auction(*case.args))


def test_concurrent_replies_are_batched_but_never_mixed(server, rng) -> None:
    """24 replies at once, one with a broken reference: only that one fails."""
    cases = [make_case(rng, 4, 20_000) for _ in range(24)]
    cases[11].logits[0, 5] = np.nan
    answers: queue.Queue = queue.Queue()
    client = server.client()
    for number, case in enumerate(cases):

        def done(result, error, number: int = number) -> None:
            answers.put((number, result, error))

        tensors = triton.inputs(case.logits, case.weights, same_temperature(case))
        client.async_infer("auction", tensors, callback=done)
    for _ in cases:
        number, result, error = answers.get(timeout=20)
        if number == 11:
            assert error is not None and "reference row" in error.message()
            assert error.status() == "StatusCode.INVALID_ARGUMENT"
        else:
            assert error is None
            assert_answers(result, oracle.auction(*cases[number].args))


def test_a_dropped_row_is_reported(server, rng) -> None:
    case = make_case(rng, 4, 3000)
    case.logits[2, 10] = np.inf
    before = server.series("auc_rows_dropped_total")
    assert_answers(ask(server, case), oracle.auction(*case.args))
    assert server.series("auc_rows_dropped_total") == before + 1


def test_only_requested_outputs_come_back(server, rng) -> None:
    case = make_case(rng, 2, 100)
    result = server.client().infer(
        "auction",
        triton.inputs(case.logits, case.weights, same_temperature(case)),
        outputs=[grpc.InferRequestedOutput("PAY"), grpc.InferRequestedOutput("TOKEN")],
    )
    names = sorted(output.name for output in result.get_response().outputs)
    assert names == ["PAY", "TOKEN"]


def refuse(server, logits, weights, temperature, kind: str = "FP32", *, draw=(0, 0, 0, 0)) -> str:
    with pytest.raises(grpc.InferenceServerException) as caught:
        temperature = np.asarray(temperature, np.float32)
        tensors = triton.inputs(logits, weights, temperature, kind, draw)
        server.client().infer("auction", tensors)
    return caught.value.message()


def test_bad_requests_are_refused_by_name(server, rng) -> None:
    z, w, t = rng.normal(size=(3, 50)).astype(np.float32), np.ones(3), [0.7] * 3
    before = server.series("auc_errors_total")
    assert "same value on every row" in refuse(server, z, w, [0.7, 0.7, 0.8])
    assert "temperature" in refuse(server, z, w, [0.0] * 3)
    assert "temperature" in refuse(server, z, w, [np.nan] * 3)
    assert "sum to 0" in refuse(server, z, np.zeros(3), t)
    assert "its weight" in refuse(server, z, np.array([np.nan, 1, 1]), t)
    assert "DRAW mode" in refuse(server, z, np.ones(3), t, draw=(2, 0, 0, 0))
    assert "1 to 33 rows" in refuse(server, np.zeros((34, 5), np.float32), np.ones(34), [1.0] * 34)
    wide = np.zeros((1, (1 << 18) + 1), np.float32)
    assert "262144 values" in refuse(server, wide, np.ones(1), [1.0])
    assert server.series("auc_errors_total") == before + 8


def test_the_server_refuses_what_the_config_forbids(server, rng) -> None:
    z = rng.normal(size=(3, 50)).astype(np.float32)
    refuse(server, z, np.ones(2), [0.7] * 3)  # rows that do not fit together
    refuse(server, z.astype(np.float16), np.ones(3), [0.7] * 3, "FP16")
    assert "<= 64" in refuse(server, np.zeros((65, 5), np.float32), np.ones(65), [1.0] * 65)
    assert server.client().is_server_live()


def test_a_config_of_another_type_is_refused_at_load(server) -> None:
    assert not server.client().is_model_ready("wrong")
    assert "LOGITS data_type: expected TYPE_FP32, TYPE_FP16 or TYPE_BF16, got TYPE_INT32" in (
        server.log.read_text()
    )


def test_metrics_count_tokens_ties_and_seconds(server) -> None:
    names = ("auc_tokens_total", "auc_near_tie_total", "auc_cpu_seconds_total")
    before = {name: server.series(name) for name in names}
    tied = Case(np.zeros((2, 500), np.float32), np.ones(2, np.float32), 1.0)
    for _ in range(3):
        assert ask(server, tied).as_numpy("TOKEN")[0, 0] == 0
    after = {name: server.series(name) for name in names}
    assert after["auc_tokens_total"] == before["auc_tokens_total"] + 3
    assert after["auc_near_tie_total"] == before["auc_near_tie_total"] + 3
    assert 0 < after["auc_cpu_seconds_total"] - before["auc_cpu_seconds_total"] < 1


def test_statistics_add_up(server, rng) -> None:
    def counts() -> tuple[int, int]:
        stats = server.client().get_inference_statistics("auction").model_stats[0]
        return stats.inference_count, stats.inference_stats.success.count

    rows_before, replies_before = counts()
    for _ in range(5):
        ask(server, make_case(rng, 4, 200))
    rows, replies = counts()
    assert (rows - rows_before, replies - replies_before) == (20, 5)
