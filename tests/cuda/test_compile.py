# SPDX-License-Identifier: Apache-2.0
"""Where nvcc is, every kernel compiles for sm_80 and sm_90 and keeps its values in registers."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from kernels_cuda.cuda import device
from kernels_cuda.cuda.resources import Resources, built, kernel_name, parse
from tests.cuda.conftest import KERNELS, make

CUDA = KERNELS / "cuda"
LOG = """\
ptxas info    : Compiling entry function '_ZN6skynet14cluster_kernelINS_3F16EEEv' for 'sm_90'
ptxas info    : Function properties for _ZN6skynet14cluster_kernelINS_3F16EEEv
    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 79 registers, used 1 barriers, 8 bytes cumulative stack size, 8608 bytes smem
"""


@pytest.fixture(scope="session")
def kernels() -> list[Resources]:
    """The CUDA library, built; what each of its kernels takes."""
    if shutil.which("nvcc") is None:
        pytest.skip("no nvcc here")
    make("cuda")
    return built()


@pytest.mark.timeout(1200)  # half a minute where nothing else runs
def test_every_kernel_is_built_for_both_architectures(kernels: list[Resources]) -> None:
    names = {entry.kernel for entry in kernels}
    fused = {f"{k}_kernel {t}" for k in ("cluster", "portable") for t in ("f32", "f16", "bf16")}
    naive = {"naive_jobs", "naive_row_kernel", "naive_token_kernel", "naive_price_kernel"}
    assert names == fused | naive
    for name in names:
        assert {e.arch for e in kernels if e.kernel == name} == {"sm_80", "sm_90"}


def test_no_kernel_spills(kernels: list[Resources]) -> None:
    assert [e for e in kernels if e.spills or e.stack] == []


def test_three_blocks_of_the_fused_kernels_fit_a_multiprocessor(kernels: list[Resources]) -> None:
    """65,536 registers, 256 threads a block."""
    for entry in kernels:
        if "naive" not in entry.kernel:
            assert 3 * 256 * entry.registers <= 65_536


def test_both_libraries_export_the_interface_only(kernels: list[Resources]) -> None:
    header = (CUDA / "device.h").read_text()
    wanted = set(re.findall(r"(skynet_device_\w+)\(", header))
    for library in (device.CUDA_LIBRARY, device.HOST_LIBRARY):
        listing = subprocess.run(
            ["nm", "-D", "--defined-only", str(library)], text=True, capture_output=True, check=True
        ).stdout
        names = set(listing.split()[2::3])
        extra = {name for name in names - wanted if not name.startswith("skynet_host_")}
        assert wanted <= names and not extra
        assert (library == device.HOST_LIBRARY) == ("skynet_host_fail" in names)


def test_between_submit_and_wait_the_cuda_runtime_only_enqueues() -> None:
    """The calls of copy, launch and failed, and of the launchers; no allocation, no waiting."""
    runtime = (CUDA / "runtime_cuda.cu").read_text()
    hot = re.findall(r"bool CudaRuntime::(?:copy|launch|failed)\(.*?\n}\n", runtime, re.DOTALL)
    assert len(hot) == 3
    for name in ("cluster", "portable", "naive"):
        source = (CUDA / f"{name}.cu").read_text()
        hot += re.findall(r"cudaError_t launch_\w+\(.*?\n}\n", source, re.DOTALL)
    assert len(hot) == 6
    calls = set(re.findall(r"\b(cuda[A-Z]\w+)\(", "".join(hot)))
    assert calls == {
        "cudaMemcpyAsync",
        "cudaStreamQuery",
        "cudaLaunchKernelEx",
        "cudaGetLastError",
    }


def test_compiler_logs_are_understood() -> None:
    assert parse(LOG) == [Resources("cluster_kernel f16", "sm_90", 79, 8608, 8, 16)]
    assert kernel_name("_Z5other") == "_Z5other"
