# SPDX-License-Identifier: Apache-2.0
"""`session_price`: states in, multipliers out. Thin: `bls.phantom.pricer` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.session_price import SessionPrice as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
