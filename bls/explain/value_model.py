# SPDX-License-Identifier: Apache-2.0
"""The value model as explanations need it: many versions of one ad, some tokens hidden."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.contracts import AD_TOKENS
from bls.errors import SkynetError, invalid
from export.errors import ExportError
from export.model_manifest import ModelManifest

_MODEL, _TOKENIZER = "model.onnx", "tokenizer.json"
_PAD_ID = 0

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class AdTokens:
    """An ad as the model reads it: at most 48 ids, and the text each of them stands for."""

    ids: I64
    texts: tuple[str, ...]


class ValueModel:
    """The served `tve` graph on one onnxruntime thread.

    Raises `model_missing`, `model_hash_mismatch` or `model_invalid`.
    """

    def __init__(self, folder: Path) -> None:
        try:
            manifest = ModelManifest.load(folder)
        except ExportError as error:
            code = error.code if error.code.startswith("model_") else "model_invalid"
            raise SkynetError(code, "The value model is not as exported.", 500) from None
        if not {_MODEL, _TOKENIZER} <= manifest.files.keys():
            raise SkynetError("model_invalid", "The value model's manifest is not complete.", 500)
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(
            (folder / _MODEL).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(AD_TOKENS)

    def tokens(self, ad: str) -> AdTokens:
        """Raises `empty_text` when the ad has no token."""
        found = self._tokenizer.encode(ad)
        if not found.ids:
            raise invalid("empty_text", "There is no ad text to explain.", "ad")
        texts = tuple(
            ad[start:end].strip() or self._tokenizer.decode([token]).strip()
            for token, (start, end) in zip(found.ids, found.offsets, strict=True)
        )
        return AdTokens(np.array(found.ids, np.int64), texts)

    def curves(self, ctx_vec: F32, tokens: AdTokens, shown: NDArray[np.bool_]) -> F32:
        """CURVE f32 [n, 4] of one ad with tokens hidden: v_max, a, k_0, spread of v_max.

        Args:
            ctx_vec: [128].
            shown: [n, T]; a hidden token is padding where it stood, its neighbours do not move.
        """
        rows, count = shown.shape
        ids = np.full((rows, AD_TOKENS), _PAD_ID, np.int64)
        mask = np.zeros((rows, AD_TOKENS), np.int64)
        ids[:, :count] = np.where(shown, tokens.ids, _PAD_ID)
        mask[:, :count] = shown
        feeds = {"CTX": np.tile(ctx_vec, (rows, 1)), "IDS": ids, "MASK": mask}
        (curve,) = self._session.run(["CURVE"], feeds)
        made: F32 = curve
        return made
