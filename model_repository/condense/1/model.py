# SPDX-License-Identifier: Apache-2.0
"""`condense`: a chat's head in, summaries out. Thin: `bls.condense` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.condense import CondenseModel as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
