# SPDX-License-Identifier: Apache-2.0
"""`summariser`: windows in, summaries out. Thin: `bls.condense` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.summariser import SummariserModel as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
