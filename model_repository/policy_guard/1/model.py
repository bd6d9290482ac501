# SPDX-License-Identifier: Apache-2.0
"""`policy_guard`: texts in, rulings out. Thin: `bls.guard` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.policy_guard import PolicyGuardModel as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
