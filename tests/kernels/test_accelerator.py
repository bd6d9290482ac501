# SPDX-License-Identifier: Apache-2.0
"""The backend with an accelerator: the CUDA kernels' host twin, in the real server.

Faults come through the file the twin reads: an error, a hang, a delay.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tritonclient import grpc

from kernels_cuda import oracle
from tests.kernels import triton
from tests.kernels.cases import Case, make_case
from tests.kernels.test_server import assert_answers, same_temperature

TIMEOUT_MS = 300
FAULTS = ("error", "hang")
MODELS = ("twin", *FAULTS)
"""A model each: an instance that lost its accelerator stays on the CPU."""


@pytest.fixture(scope="module")
def fault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fault") / "fault"


@pytest.fixture(scope="module")
def server(
    built: Path, fault: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[triton.Server]:
    parameters = {"device": "host", "device_timeout_ms": str(TIMEOUT_MS)}
    with triton.serving(
        tmp_path_factory.mktemp("triton"),
        built / "libtriton_auction.so",
        models=dict.fromkeys(MODELS, parameters),
        environment={"HOST_DEVICE_FAULT_FILE": str(fault)},
    ) as running:
        yield running
        fault.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def no_fault(fault: Path) -> Iterator[None]:
    yield
    fault.unlink(missing_ok=True)


def ask(server: triton.Server, case: Case, model: str) -> grpc.InferResult:
    tensors = triton.inputs(case.logits, case.weights, same_temperature(case))
    return server.client().infer(model, tensors)


def test_answers_come_from_the_accelerator(server, rng) -> None:
    before = server.series("auc_device_tokens_total", "twin")
    for rows, vocab in ((1, 1), (4, 1000), (8, 5007), (33, 300)):
        case = make_case(rng, rows, vocab)
        assert_answers(ask(server, case, "twin"), oracle.auction(*case.args))
    assert server.series("auc_device_tokens_total", "twin") == before + 4
    assert server.series("auc_failovers_total", "twin") == 0


def test_a_refused_reply_leaves_the_accelerator_in_use(server, rng) -> None:
    case = make_case(rng, 3, 500)
    case.logits[0, 7] = np.nan
    with pytest.raises(grpc.InferenceServerException, match="reference row"):
        ask(server, case, "twin")
    case = make_case(rng, 3, 500)
    assert_answers(ask(server, case, "twin"), oracle.auction(*case.args))
    assert server.series("auc_failovers_total", "twin") == 0


@pytest.mark.spec("AUC-I-06")
@pytest.mark.parametrize("kind", FAULTS)
def test_a_failed_accelerator_costs_no_token_and_under_a_second(
    server, rng, fault: Path, kind: str
) -> None:
    """Four clients keep asking while the accelerator fails: every answer is right and in time."""
    cases = [make_case(rng, 4, 2000) for _ in range(4)]
    wanted = [oracle.auction(*case.args) for case in cases]
    slowest = [0.0] * len(cases)
    answered = [0] * len(cases)
    done = threading.Event()
    faults: list[BaseException] = []

    def client(number: int) -> None:
        try:
            while not done.is_set():
                began = time.monotonic()
                assert_answers(ask(server, cases[number], kind), wanted[number])
                slowest[number] = max(slowest[number], time.monotonic() - began)
                answered[number] += 1
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(len(cases))]
    for thread in threads:
        thread.start()
    wait_until(lambda: min(answered) >= 3)
    fault.write_text(kind)
    wait_until(lambda: server.series("auc_failovers_total", kind) == 1 or bool(faults))
    on_device = server.series("auc_device_tokens_total", kind)
    so_far = list(answered)
    wait_until(
        lambda: all(a >= b + 5 for a, b in zip(answered, so_far, strict=True)) or bool(faults)
    )
    done.set()
    for thread in threads:
        thread.join()
    assert not faults, faults
    assert max(slowest) < 1.0
    assert server.series("auc_failover_seconds_total", kind) < 1.0
    assert server.series("auc_failovers_total", kind) == 1
    assert server.series("auc_device_tokens_total", kind) == on_device
    assert "goes on without its accelerator" in server.log.read_text()


def wait_until(check, seconds: float = 20.0) -> None:
    stop = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < stop, "did not come true in time"
        time.sleep(0.02)


@pytest.mark.spec("AUC-U-08")
def test_logits_stay_valid_until_the_kernel_is_done(server, rng, fault: Path) -> None:
    """The kernel starts late: had a request's buffers been given back, another's bytes were in
    them by then."""
    fault.write_text("delay_us 20000")
    cases = [make_case(rng, 4, 5000) for _ in range(12)]
    threads = []
    answers: dict[int, grpc.InferResult] = {}
    for number, case in enumerate(cases):

        def work(number: int = number, case: Case = case) -> None:
            answers[number] = ask(server, case, "twin")

        threads.append(threading.Thread(target=work))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, case in enumerate(cases):
        assert_answers(answers[number], oracle.auction(*case.args))


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"device": "tpu"}, "parameter device: expected auto, cpu, cuda or host, got tpu"),
        ({"device_timeout_ms": "0"}, "parameter device_timeout_ms: expected 1 to 900, got 0"),
        ({"device_timeout_ms": "9s"}, "parameter device_timeout_ms: expected 1 to 900, got 9s"),
        ({"devise": "cuda"}, "parameters: expected device or device_timeout_ms, got devise"),
    ],
)
def test_bad_parameters_are_refused_at_load(
    built: Path, tmp_path: Path, parameters: dict[str, str], says: str
) -> None:
    library = built / "libtriton_auction.so"
    with triton.serving(tmp_path, library, models={"refused": parameters}) as running:
        assert not running.client().is_model_ready("refused")
        assert says in running.log.read_text()


def test_without_its_library_the_cpu_serves(built: Path, tmp_path: Path, rng) -> None:
    library, models = built / "libtriton_auction.so", {"lonely": {"device": "host"}}
    with triton.serving(tmp_path, library, models=models, accelerators=False) as running:
        case = make_case(rng, 4, 1000)
        assert_answers(ask(running, case, "lonely"), oracle.auction(*case.args))
        assert running.series("auc_device_tokens_total", "lonely") == 0
        assert "the auction runs on the CPU" in running.log.read_text()
