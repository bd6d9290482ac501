# SPDX-License-Identifier: Apache-2.0
"""`select`: a context in, the creatives of a reply out. Thin: `bls.select` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.select import SelectModel as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
