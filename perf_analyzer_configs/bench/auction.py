# SPDX-License-Identifier: Apache-2.0
"""The auction step itself, V = 50,007 and 4 rows, against numpy float32 on one thread."""

from __future__ import annotations

import json
import subprocess
import sys

from bls.settings import REPOSITORY
from perf_analyzer_configs.bench.figures import Figure


def step() -> list[Figure]:
    """Microseconds and ratio, from the kernel's own benchmark in a fresh process."""
    command = [sys.executable, "-m", "kernels_cuda.bench.bench", "--json"]
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=REPOSITORY
    ).stdout
    measured = json.loads(output)
    ours, ratio = measured["ours_us"], measured["numpy_us"] / measured["ours_us"]
    detail = f"numpy f32 {measured['numpy_us']:.0f} us; p10 {measured['ours_p10_us']:.0f} us"
    return [
        Figure("auction step, 4 rows x 50,007", ours, "us/token", "<= 100", ours <= 100, detail),
        Figure("auction step, 4 rows x 50,007", ratio, "x numpy", ">= 10", ratio >= 10),
    ]
