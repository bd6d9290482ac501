# SPDX-License-Identifier: Apache-2.0
"""`tve`: a context and an ad in, its value curve out. Thin: `bls.brain.tve` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.tve import TrajectoryValue as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
