# SPDX-License-Identifier: Apache-2.0
"""Backend `mpc` in the real tritonserver: the C ABI's answers, typed refusals, counters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient import grpc

from bls.contracts import Decision
from kernels_cuda.bench.mpc_cases import random_control, random_mixture
from kernels_cuda.mpc import Mpc
from tests.kernels import triton
from tests.kernels.cases import ROOT
from tests.mpc.rows import mixtures, row

MODEL = ROOT / "model_repository" / "mpc"


def add_wrong(repository: Path, name: str, old: str, new: str) -> None:
    shutil.copytree(MODEL, repository / name)
    config = repository / name / "config.pbtxt"
    text = config.read_text().replace('name: "mpc"', f'name: "{name}"', 1)
    config.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[triton.Server]:
    folder = tmp_path_factory.mktemp("triton")
    (folder / "backends" / "mpc").mkdir(parents=True)
    shutil.copy(built / "libtriton_mpc.so", folder / "backends" / "mpc")
    shutil.copytree(MODEL, folder / "models" / "mpc")
    add_wrong(folder / "models", "narrow", "dims: [ 112 ]", "dims: [ 111 ]")
    add_wrong(folder / "models", "single", "TYPE_FP64", "TYPE_FP32")
    add_wrong(folder / "models", "loose", "max_batch_size: 64", "max_batch_size: 128")
    extra = 'parameters { key: "speed" value { string_value: "1" } }\ninstance_group'
    add_wrong(folder / "models", "tuned", "instance_group", extra)
    with triton.stopping(triton.launch(folder, "mpc")) as running:
        yield running


def ask(
    server: triton.Server,
    mixture: NDArray[np.float32],
    bid: NDArray[np.float32],
    rows: NDArray[np.float64],
    *,
    model: str = "mpc",
    outputs: list[str] | None = None,
):
    tensors = []
    for name, values in (("MIXTURE", mixture), ("BID", bid.reshape(-1, 1)), ("CONTROL", rows)):
        kind = "FP64" if values.dtype == np.float64 else "FP32"
        tensors.append(grpc.InferInput(name, list(values.shape), kind))
        tensors[-1].set_data_from_numpy(np.ascontiguousarray(values))
    wanted = [grpc.InferRequestedOutput(name) for name in outputs] if outputs else None
    return server.client().infer(model, tensors, outputs=wanted)


def refused(server: triton.Server, *arguments, **options) -> str:
    with pytest.raises(grpc.InferenceServerException) as caught:
        ask(server, *arguments, **options)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    return caught.value.message()


@pytest.mark.parametrize("rows", [1, 4, 33, 64])
def test_answers_are_those_of_the_library(server, rng, rows: int) -> None:
    for _ in range(5):
        mixture = random_mixture(rng, rows)
        control = random_control(rng, mixture, controlled=rng.random(rows) < 0.8)
        control[rng.integers(rows), 1] = np.nan  # a bad row where it is controlled
        bid = rng.random(rows).astype(np.float32)
        weight, decision = Mpc().decide(mixture, bid, control)
        got = ask(server, mixture, bid, control)
        assert got.as_numpy("WEIGHT").tobytes() == weight.tobytes()
        assert got.as_numpy("DECISION").tobytes() == decision.tobytes()
        assert got.as_numpy("WEIGHT").shape == (rows, 1)


def test_only_requested_outputs_come_back(server) -> None:
    for name in ("WEIGHT", "DECISION"):
        got = ask(server, mixtures(2), np.ones(2, np.float32), row(2), outputs=[name])
        assert [each.name for each in got.get_response().outputs] == [name]


def test_bad_requests_are_refused_by_name(server) -> None:
    bid, rows = np.ones(3, np.float32), row(3)
    assert "MIXTURE" in refused(server, mixtures(3)[:, :4], bid, rows)
    assert "CONTROL" in refused(server, mixtures(3), bid, rows[:, :100])
    assert "CONTROL" in refused(server, mixtures(3), bid, rows.astype(np.float32))
    assert "batch" in refused(server, mixtures(2), bid, rows)
    assert "<= 64" in refused(server, mixtures(65), np.ones(65, np.float32), row(65))
    assert server.client().is_server_live()


def test_the_backend_limits_rows_itself(server) -> None:
    """Even where a config lets more through."""
    before = server.series("mpc_errors_total", "loose")
    text = refused(server, mixtures(65), np.ones(65, np.float32), row(65), model="loose")
    assert "1 to 64 rows" in text
    assert server.series("mpc_errors_total", "loose") == before + 1


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("narrow", "CONTROL dims: expected [112], got [111]"),
        ("single", "CONTROL data_type: expected TYPE_FP64, got TYPE_FP32"),
        ("tuned", "parameters: expected none, got speed"),
    ],
)
def test_a_config_that_breaks_the_contract_is_refused_at_load(server, model, text) -> None:
    assert not server.client().is_model_ready(model)
    assert text in server.log.read_text()


def test_counters_follow(server) -> None:
    names = ("rows", "rows_refused", "abandons", "seconds")
    before = {name: server.series(f"mpc_{name}_total", "mpc") for name in names}
    rows = row(4, controlled=[1, 1, 1, 0], sigma_max=[1.0, 0.01, 1.0, 1.0], momentum=1)
    rows[2, 1] = 99
    got = ask(server, mixtures(4), np.ones(4, np.float32), rows)
    assert list(got.as_numpy("DECISION")[:, Decision.METHOD]) == [1, 1, -1, 0]
    after = {name: server.series(f"mpc_{name}_total", "mpc") for name in names}
    grown = {name: after[name] - before[name] for name in names}
    assert (grown["rows"], grown["rows_refused"], grown["abandons"]) == (2, 1, 1)
    assert 0 < grown["seconds"] < 1


def test_statistics_add_up(server) -> None:
    def counts() -> tuple[int, int]:
        stats = server.client().get_inference_statistics("mpc").model_stats[0]
        return stats.inference_count, stats.inference_stats.success.count

    rows_before, calls_before = counts()
    for _ in range(5):
        ask(server, mixtures(4), np.ones(4, np.float32), row(4))
    rows, calls = counts()
    assert (rows - rows_before, calls - calls_before) == (20, 5)
