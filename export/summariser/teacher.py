# SPDX-License-Identifier: Apache-2.0
"""Targets from a summariser that is at hand: a local folder or a hub id (`--teacher`).

Its summary of a window says which of the window's words matter; they are kept in their order. Its
logits are over another vocabulary, so of the loss of HS-BART only the cross entropy is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from bls.condense.spelling import Spelling, content_words
from bls.condense.summariser import fitting
from bls.contracts import SUMMARY_TOKENS
from export.errors import ExportError

_BATCH = 16


class Teacher:
    """Raises `ExportError` `teacher_invalid`. Code of a model folder is never run."""

    def __init__(self, name: str) -> None:
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
            self._model = AutoModelForSeq2SeqLM.from_pretrained(
                name, trust_remote_code=False, use_safetensors=True
            ).eval()
        except Exception:  # transformers raises many types, with paths
            raise ExportError("teacher_invalid", "the teacher cannot be loaded") from None

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def summaries(self, texts: Sequence[str]) -> list[str]:
        """At most 32 of the teacher's tokens each."""
        said: list[str] = []
        for at in range(0, len(texts), _BATCH):
            asked = self._tokenizer(
                list(texts[at : at + _BATCH]), return_tensors="pt", padding=True, truncation=True
            )
            found = self._model.generate(**asked, max_new_tokens=SUMMARY_TOKENS, num_beams=1)
            said += self._tokenizer.batch_decode(found, skip_special_tokens=True)
        return said

    def keeps(
        self, tokenizer: Tokenizer, spelling: Spelling, windows: Sequence[list[int]]
    ) -> list[NDArray[np.bool_]]:
        """Which tokens of each window its summary speaks of, bool [len(window)]."""
        said = self.summaries([str(tokenizer.decode(window)) for window in windows])
        pairs = zip(windows, said, strict=True)
        return [aligned(spelling, window, summary) for window, summary in pairs]


def aligned(spelling: Spelling, window: list[int], summary: str) -> NDArray[np.bool_]:
    """Words of the window that the summary has, the first of each; at most 32 tokens."""
    wanted = set(content_words(summary))
    units = spelling.units(window)
    values, said = [], set()
    for unit in units:
        named = unit.letters in wanted and unit.letters not in said
        said.add(unit.letters)
        values.append(float(named))
    keep = np.zeros(len(window), np.bool_)
    spoken = [unit for unit, value in zip(units, values, strict=True) if value]
    for unit in fitting(spoken, [1.0] * len(spoken)):
        keep[unit.start : unit.end] = True
    return keep
