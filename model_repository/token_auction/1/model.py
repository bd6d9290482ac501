# SPDX-License-Identifier: Apache-2.0
"""`token_auction`: one request, a stream of tokens. Thin: `bls.reply` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.token_auction import TokenAuction as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
