# SPDX-License-Identifier: Apache-2.0
"""gpu-check's own parts on the CPU: the judge of answers, the page, the exit without a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kernels_cuda.cuda import check, parity, results, timing
from kernels_cuda.cuda.device import CUDA_LIBRARY, NAIVE, Device
from kernels_cuda.cuda.driver import Driver, DriverError
from kernels_cuda.cuda.resources import Resources


def test_random_replies_pass_and_match_the_twin(host_library: Path) -> None:
    for kernel, name in check.kernels(host_library):
        options = replace(parity.SMALL, kernel=kernel)
        work = parity.batches(150, seed=kernel)
        found = parity.check(host_library, options, name, work, check.staged)
        assert (found.replies, found.wrong, found.other_bits) == (150, 0, 0), found.first_faults
        assert found.compared == 150
        assert found.precise == 150 if kernel == NAIVE else found.precise < 50


def test_a_wrong_answer_is_counted(host_library: Path) -> None:
    (reply,) = next(parity.batches(1, seed=5))
    found = parity.Parity("x")
    with Device(host_library, parity.SMALL) as device:
        got = device.run([reply])[0]
    found.add(reply, got)
    found.add(reply, replace(got, token=got.token + 1))
    found.add(reply, replace(got, pay=got.pay * 1.001 + 0.001))
    found.compare_bits(got, replace(got, margin=np.nextafter(got.margin, 9)))
    assert (found.replies, found.wrong, found.other_bits) == (3, 2, 1)
    assert len(found.first_faults) == 2 and "pay" in found.first_faults[1]


def test_the_page_holds_every_figure() -> None:
    shape = timing.Shape(3, 256, 4, 49_152, "f16")
    run = results.Run("Some GPU, sm_90", "13.0", 3e6)
    run.parity = [parity.Parity("cluster", replies=10_000)]
    run.sanitizers = {"memcheck": "ERROR SUMMARY: 0 errors"}
    lone = replace(shape, replies=1)
    run.timings = [
        timing.Timing(lone, 9.5, 10.25, 6.0, 4.5, 0.13),
        timing.Timing(shape, 60.0, 61.0, 50.0, None, 33.55),
    ]
    page = results.measured_page(run, [Resources("cluster_kernel f16", "sm_90", 79, 8608, 0, 0)])
    for text in (
        "Some GPU, sm_90",
        "3.00 TB/s",
        "| cluster | 10000 | 0 |",
        "0 errors",
        "p95 10.2 us (cluster, f16)",
        "4.5 us (cluster, f16)",
        "67 % (cluster, f16)",
        "| cluster_kernel f16 | sm_90 | 79 |",
    ):
        assert text in page, text
    assert "No GPU has run" in results.static_page([]) and "No GPU has run" not in page


def test_without_a_gpu_the_page_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def no_driver(device: int = 0) -> Driver:
        raise DriverError("no CUDA driver")

    page = tmp_path / "gpu_results.md"
    page.write_text("measured elsewhere")
    monkeypatch.setattr(check, "Driver", no_driver)
    monkeypatch.setattr(results, "PAGE", page)
    assert check.run(CUDA_LIBRARY) == check.NO_GPU
    assert "no usable GPU" in capsys.readouterr().out
    assert page.read_text() == "measured elsewhere"


def test_every_goal_has_a_timing() -> None:
    wanted = {(1, "f16"), (1, "f32"), (256, "f16"), (256, "f32")}
    usual = {(s.replies, s.dtype) for s in timing.shapes() if (s.rows, s.vocab) == (4, 49_152)}
    assert wanted <= usual
