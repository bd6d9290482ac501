# SPDX-License-Identifier: Apache-2.0
"""How faiss is asked: on one thread, of some rows only."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from bls.select.index.protocol import Mask

_faiss: Any = faiss  # its stubs do not know what its Python side adds


def searching(keep: Mask | None, nprobe: int = 0) -> Any:
    """Search parameters: only the rows that `keep` bool [n] leaves, those beyond n are out; of an
    IVF index, `nprobe` cells. None for a plain search."""
    options: dict[str, Any] = {}
    if keep is not None:
        options["sel"] = _faiss.IDSelectorBitmap(np.packbits(keep, bitorder="little"))
    if nprobe:
        return _faiss.SearchParametersIVF(nprobe=nprobe, **options)
    return _faiss.SearchParameters(**options) if options else None


def one_thread() -> None:
    """What this thread asks of faiss uses this thread alone (the number is OpenMP's, a thread's
    own): searches of a server come side by side already."""
    faiss.omp_set_num_threads(1)
