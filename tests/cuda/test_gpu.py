# SPDX-License-Identifier: Apache-2.0
"""On a GPU: parity and the time of one token. Skipped where there is none; see make gpu-check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from kernels_cuda.cuda import check, parity, timing
from kernels_cuda.cuda.device import CUDA_LIBRARY, Batch, Device, DeviceError, Options
from kernels_cuda.cuda.driver import Driver, DriverError


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    """The GPU's driver; skips where the library or a GPU is missing."""
    try:
        made = Driver()
        Device(CUDA_LIBRARY, Options()).close()
    except (DriverError, DeviceError, OSError) as error:
        pytest.skip(f"no GPU here: {error}")
    yield made
    made.release()


@pytest.mark.spec("AUC-U-09")
def test_the_gpu_gives_the_definitions_answers(driver: Driver) -> None:
    for found in check.check_parity(driver, CUDA_LIBRARY, dict.fromkeys(check.CASES, 200)):
        assert found.wrong == 0, (found.kernel, found.first_faults)


def one_reply(driver: Driver, dtype: str) -> Batch:
    return timing.make_batch(driver, timing.Shape(0, 1, 4, 49_152, dtype))


@pytest.mark.spec("AUC-C-01")
@pytest.mark.parametrize("dtype", ["f16", "f32"])
def test_a_token_takes_at_most_15_us(driver: Driver, dtype: str) -> None:
    """Kernel time, and host-visible time from submit to wait's return, p95."""
    batch = one_reply(driver, dtype)
    with Device(CUDA_LIBRARY, Options(vocab=49_152)) as device:
        device.measure(batch, 100)
        assert np.percentile(device.measure(batch, 5000), 95) <= 15.0
        assert timing.event_us(driver, device, batch) <= 15.0


@pytest.mark.spec("AUC-C-06")
def test_a_batch_can_be_captured_and_replayed(driver: Driver) -> None:
    """Capture refuses any call that would synchronise or allocate."""
    batch = one_reply(driver, "f16")
    with Device(CUDA_LIBRARY, Options(vocab=49_152)) as device:
        assert (device.submit(batch), device.wait()) == (0, 0)
        token = batch.outcome(0).token
        assert timing.graph_us(driver, device, batch) > 0
        assert batch.outcome(0).token == token


def test_a_missing_device_is_refused_in_a_sentence(driver: Driver) -> None:
    with pytest.raises(DeviceError, match="no usable GPU"):
        Device(CUDA_LIBRARY, replace(Options(), device=63))


def test_real_sizes_match_the_cpu_twin(driver: Driver) -> None:
    place = check.Placer(driver, 1 << 28)
    work = iter(list(parity.large_batches(seed=4))[:6])
    found = parity.check(CUDA_LIBRARY, parity.REAL, "real sizes", work, place)
    assert found.wrong == 0 and found.other_bits == 0, found.first_faults
