# SPDX-License-Identifier: Apache-2.0
"""`agent_score`: shop sessions in, probabilities out. Thin: `bls.phantom.scorer` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.agent_score import AgentScore as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
