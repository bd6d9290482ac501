# SPDX-License-Identifier: Apache-2.0
"""`make gpu-check`: parity, sanitizers and timings on this machine's GPU, into docs/gpu_results.md.

Needs the GPU's driver, Python and numpy; the library is built before or brought along (--library).
Without a GPU it says so, exits with 2 and leaves the page as it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kernels_cuda.cuda import parity, resources, results, timing
from kernels_cuda.cuda.device import (
    CLUSTER,
    CUDA_LIBRARY,
    NAIVE,
    PORTABLE,
    Device,
    DeviceError,
    Options,
    Reply,
)
from kernels_cuda.cuda.driver import Driver, DriverError

CASES = {NAIVE: 2000, PORTABLE: 6000, CLUSTER: 6000}
SANITIZED_CASES = 40
TOOLS = ("memcheck", "racecheck", "synccheck")
TOOL_TIMEOUT_S = 1800
NO_GPU, FAULTY = 2, 1


class Placer:
    """Puts logits into device memory, each batch over the last one; every third reply is staged."""

    def __init__(self, driver: Driver, size: int) -> None:
        self._driver = driver
        self._start = driver.allocate(size)
        self._size, self._used, self._count = size, 0, 0

    def __call__(self, reply: Reply) -> Reply:
        logits = reply.logits
        assert not isinstance(logits, int)
        self._count += 1
        if self._count % 3 == 0:
            return replace(reply, staged=True)
        if self._used + logits.nbytes > self._size:
            self._used = 0
        address = self._driver.upload(logits, self._start + self._used)
        self._used += (logits.nbytes + 255) // 256 * 256
        vocab = logits.shape[1]
        return replace(reply, logits=address, vocab=vocab, stride=vocab, dtype=logits.dtype)


def kernels(library: Path) -> Iterator[tuple[int, str]]:
    """The kernels this device runs."""
    for kernel, name in timing.KERNELS.items():
        try:
            with Device(library, Options(kernel=kernel)):
                yield kernel, name
        except DeviceError as error:
            print(f"{name}: {error}")


def check_parity(driver: Driver, library: Path, count: dict[int, int]) -> list[parity.Parity]:
    """Small random replies on every kernel, real sizes on the fused ones."""
    place = Placer(driver, 1 << 28)
    found = []
    for kernel, name in kernels(library):
        work = parity.batches(count[kernel], seed=kernel)
        options = replace(parity.SMALL, kernel=kernel)
        found.append(parity.check(library, options, name, work, place))
    work = parity.large_batches(seed=9)
    found.append(parity.check(library, parity.REAL, "real sizes", work, place))
    return found


def sanitize(library: Path) -> dict[str, str]:
    """What each tool says to a few dozen replies on every kernel."""
    sanitizer = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not Path(sanitizer).exists():
        return dict.fromkeys(TOOLS, "not run: compute-sanitizer is not installed")
    said = {}
    for tool in TOOLS:
        command = [sanitizer, "--tool", tool, "--error-exitcode", "9", sys.executable, "-m"]
        command += ["kernels_cuda.cuda.check", "--library", str(library), "--only-parity"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=TOOL_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            said[tool] = f"not finished after {TOOL_TIMEOUT_S} s"
            continue
        last = [line for line in done.stdout.splitlines() if "SUMMARY" in line]
        said[tool] = (last[-1].strip("= ") if last else f"exit {done.returncode}") + (
            "" if done.returncode == 0 else ", FAILED"
        )
    return said


def time_all(driver: Driver, library: Path, bandwidth: float) -> list[timing.Timing]:
    """Every shape that fits, one line each as it comes."""
    runnable = {kernel for kernel, _ in kernels(library)}
    found = []
    for shape in timing.shapes():
        if shape.kernel not in runnable:
            continue
        line = timing.time_shape(driver, library, shape, bandwidth)
        if line is not None:
            print(f"{shape}: host {line.host_median:.1f} us, kernel {line.kernel:.1f} us")
            found.append(line)
    return found


def staged(reply: Reply) -> Reply:
    """The reply with its logits in host memory."""
    return replace(reply, staged=True)


def only_parity(library: Path) -> int:
    """A short check without output files, for the sanitizers."""
    wrong = 0
    for kernel, name in kernels(library):
        work = parity.batches(SANITIZED_CASES, seed=kernel)
        options = replace(parity.SMALL, kernel=kernel)
        wrong += parity.check(library, options, name, work, staged).wrong
    return FAULTY if wrong else 0


def run(library: Path) -> int:
    """Everything, into the page."""
    try:
        driver = Driver()
        with Device(library, Options()) as device:
            name = device.name.rsplit(",", 1)[0]
    except (DriverError, DeviceError, OSError) as error:
        print(f"gpu-check: no usable GPU here ({error}); {results.PAGE.name} is left as it is")
        return NO_GPU
    print(f"gpu-check: {name}")
    found = results.Run(name, driver.version(), timing.copy_bandwidth(driver))
    found.parity = check_parity(driver, library, CASES)
    driver.release()
    found.sanitizers = sanitize(library)
    found.timings = time_all(driver, library, found.bandwidth)
    results.PAGE.write_text(results.measured_page(found, resources.built()))
    print(f"gpu-check: wrote {results.PAGE}")
    faulty = any(p.wrong for p in found.parity) or any(
        said.endswith("FAILED") for said in found.sanitizers.values()
    )
    return FAULTY if faulty else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="gpu-check", description=__doc__)
    parser.add_argument(
        "--library", type=Path, default=CUDA_LIBRARY, help="a library built elsewhere"
    )
    parser.add_argument("--only-parity", action="store_true", help="a few replies, no page")
    parser.add_argument(
        "--static", action="store_true", help="write the page of a machine without GPU"
    )
    options = parser.parse_args()
    os.environ.setdefault("CUDA_MODULE_LOADING", "EAGER")
    if options.static:
        results.PAGE.write_text(results.static_page(resources.built()))
        return 0
    if options.only_parity:
        return only_parity(options.library)
    return run(options.library)


if __name__ == "__main__":
    sys.exit(main())
