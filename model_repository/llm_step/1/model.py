# SPDX-License-Identifier: Apache-2.0
"""`llm_step`: rows in, logits out. Thin: tensors are parsed here, `bls.llm` does the work."""

import os
import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[3]),
    *os.environ.get("SKYNET_SITE", "").split(os.pathsep),
]

from bls.triton.llm_step import LLMStep as TritonPythonModel  # noqa: E402

__all__ = ["TritonPythonModel"]
