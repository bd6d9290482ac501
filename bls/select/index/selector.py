# SPDX-License-Identifier: Apache-2.0
"""How faiss is asked: on one thread, of some rows only."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from bls.select.index.protocol import Mask


def kept_only(keep: Mask) -> Any:
    """The rows that `keep` bool [n] leaves, as faiss wants them; rows beyond n are out."""
    return faiss.IDSelectorBitmap(np.packbits(keep, bitorder="little"))


def one_thread() -> None:
    """What this thread asks of faiss uses this thread alone (the number is OpenMP's, a thread's
    own): searches of a server come side by side already."""
    faiss.omp_set_num_threads(1)
