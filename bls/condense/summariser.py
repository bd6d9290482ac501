# SPDX-License-Identifier: Apache-2.0
"""Windows to summaries with one of two models, as the manifest says: `selection` or `hs_bart`.

Both say words of the window only, in their order, at most 32 tokens; a window that is no longer is
its own summary. How they were made and how they compare: docs/condense.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.condense.spelling import Spelling, Unit
from bls.contracts import SUMMARY_TOKENS, SUMMARY_WINDOW, ModelContract, Tensor
from bls.errors import SkynetError
from bls.models.onnx_model import OnnxModel, zeros
from export.errors import ExportError
from export.model_manifest import ModelManifest

TOKENIZER = "tokenizer.json"
SELECTION, HS_BART = "selection", "hs_bart"
END = SUMMARY_WINDOW
"""What `PLACE` says after the last token; before that, which token of the window comes next."""

_IN = (Tensor("IDS", "INT64", (SUMMARY_WINDOW,)), Tensor("MASK", "INT64", (SUMMARY_WINDOW,)))
GRAPHS = {
    SELECTION: ModelContract("summariser", 64, _IN, (Tensor("SCORE", "FP32", (SUMMARY_WINDOW,)),)),
    HS_BART: ModelContract("summariser", 64, _IN, (Tensor("PLACE", "INT64", (SUMMARY_TOKENS,)),)),
}
"""`model.onnx` of each kind. Rows are padded with id 0 where MASK is 0."""

Window = Sequence[int]


class Summariser:
    """A version of the model, hashes checked.

    Attributes:
        kind: `selection` or `hs_bart`.
        sha256: of the version's manifest.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Raises `ExportError`, or `SkynetError` `model_invalid`."""
        tokenizer, self.kind, self._model = _load(folder, threads)
        self.sha256 = self._model.sha256
        self._vocab = tokenizer.get_vocab_size()
        self._finish: Callable[[Window, NDArray[Any]], list[int]] = _places
        if self.kind == SELECTION:
            spelling = Spelling.of(tokenizer)
            self._finish = lambda window, scores: best_words(spelling, window, scores)
        self._model.run(zeros(GRAPHS[self.kind], 1) | {"MASK": np.ones((1, 64), np.int64)})

    def __call__(self, windows: Sequence[Window]) -> list[list[int]]:
        """A summary of each window of 1 to 64 ids, all long ones in one run of the graph.

        Raises `bad_window`.
        """
        for window in windows:
            self._check(window)
        summaries = [list(window) for window in windows]
        long = [at for at, window in enumerate(windows) if len(window) > SUMMARY_TOKENS]
        if long:
            (found,) = self._model.run(tensors([windows[at] for at in long]))
            for at, answer in zip(long, found, strict=True):
                summaries[at] = self._finish(windows[at], answer)
        return summaries

    def _check(self, window: Window) -> None:
        if not 1 <= len(window) <= SUMMARY_WINDOW:
            raise SkynetError("bad_window", "A window has 1 to 64 tokens.", 400)
        if not 0 <= min(window) <= max(window) < self._vocab:
            raise SkynetError("bad_window", "A window has ids of another vocabulary.", 400)


def tensors(windows: Sequence[Window]) -> dict[str, NDArray[np.int64]]:
    """`IDS` and `MASK` [n, 64] of windows."""
    ids = np.zeros((len(windows), SUMMARY_WINDOW), np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = window
        mask[row, : len(window)] = 1
    return {"IDS": ids, "MASK": mask}


def best_words(spelling: Spelling, window: Window, scores: NDArray[Any]) -> list[int]:
    """The whole words of the highest mean score that fit into 32 tokens, in their order."""
    units = spelling.units(window)
    mean = [float(scores[unit.start : unit.end].mean()) for unit in units]
    return taken(window, fitting(units, mean))


def fitting(
    units: Sequence[Unit], values: Sequence[float], room: int = SUMMARY_TOKENS
) -> list[Unit]:
    """The units of the highest value that fit, in their order; the earlier one of equals."""
    kept = []
    for at in sorted(range(len(units)), key=lambda at: (-values[at], at)):
        length = units[at].end - units[at].start
        if length <= room:
            kept.append(at)
            room -= length
    return [units[at] for at in sorted(kept)]


def taken(window: Window, units: Sequence[Unit]) -> list[int]:
    """Their tokens."""
    return [token for unit in units for token in window[unit.start : unit.end]]


def _places(window: Window, places: NDArray[Any]) -> list[int]:
    said = []
    for place in places.tolist():
        if place == END:
            break
        said.append(window[place])
    return said


def _load(folder: Path, threads: int) -> tuple[Tokenizer, str, OnnxModel]:
    manifest = ModelManifest.load(folder)
    kind = str(manifest.details.get("kind"))
    if kind not in GRAPHS or TOKENIZER not in manifest.files:
        raise SkynetError("model_invalid", "The summariser's manifest is not complete.", 500)
    model = OnnxModel(folder, GRAPHS[kind], threads=threads)
    try:
        tokenizer = Tokenizer.from_str((folder / TOKENIZER).read_text(encoding="utf-8"))
    except Exception:  # the library raises bare exceptions with paths in them
        raise ExportError("model_contract", "the tokenizer cannot be read") from None
    return tokenizer, kind, model
