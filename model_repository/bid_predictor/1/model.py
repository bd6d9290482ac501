# SPDX-License-Identifier: Apache-2.0
"""`bid_predictor`: features in, forecasts out. Thin: `bls.brain.forecast` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.bid_predictor import BidPredictor as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
