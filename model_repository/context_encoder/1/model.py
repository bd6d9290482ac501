# SPDX-License-Identifier: Apache-2.0
"""`context_encoder`: text in, axis vector out. Thin: `bls.brain.context` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.context_encoder import ContextEncoderModel as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
