# SPDX-License-Identifier: Apache-2.0
"""The value model as explanations need it: many versions of one ad, some tokens hidden."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.brain.tve.version import GRAPH, TOKENIZER
from bls.contracts import AD_TOKENS
from bls.errors import invalid
from bls.models.onnx_model import OnnxModel
from bls.models.pointer import Target
from export.errors import ExportError

_PAD_ID = 0
_NOTHING = "."

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class AdTokens:
    """An ad as the model reads it: at most 48 ids, and the text each of them stands for."""

    ids: I64
    texts: tuple[str, ...]


class ValueModel:
    """One served version of `tve`, on one onnxruntime thread."""

    def __init__(self, target: Target) -> None:
        """Raises `ExportError`: the codes of `OnnxModel`."""
        self._graph = OnnxModel(target.folder, GRAPH, target.sha256)
        self.sha256 = self._graph.sha256
        content = (target.folder / TOKENIZER).read_bytes()
        if hashlib.sha256(content).hexdigest() != self._graph.manifest.files.get(TOKENIZER):
            raise ExportError("model_hash_mismatch", f"{TOKENIZER} does not match its SHA-256")
        self._tokenizer = Tokenizer.from_buffer(content)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(AD_TOKENS)
        self._nothing = self._tokenizer.encode(_NOTHING).ids[0]

    def tokens(self, ad: str) -> AdTokens:
        """Raises `empty_ad` when the ad has no token."""
        ad = ad.strip()
        found = self._tokenizer.encode(ad)
        if not found.ids:
            raise invalid("empty_ad", "The ad has no text.", "ad")
        texts = tuple(
            ad[start:end].strip() or self._tokenizer.decode([token]).strip()
            for token, (start, end) in zip(found.ids, found.offsets, strict=True)
        )
        return AdTokens(np.array(found.ids, np.int64), texts)

    def curves(self, ctx_vec: F32, tokens: AdTokens, shown: NDArray[np.bool_]) -> F32:
        """CURVE f32 [n, 4] of one ad with tokens hidden: v_max, a, k_0, spread of v_max.

        Rows are run one by one, as they are served: the int8 graph scales its activations over a
        batch, which would drown what one token does. With every token hidden the ad is a lone full
        stop: the model never saw an ad without tokens, and what it says of one means nothing.

        Args:
            ctx_vec: [128].
            shown: [n, T]; a hidden token is padding where it stood, its neighbours do not move.
        """
        ids = np.where(shown, tokens.ids, _PAD_ID)
        mask = shown.astype(np.int64)
        empty = ~shown.any(axis=1)
        ids[empty, 0], mask[empty, 0] = self._nothing, 1
        ctx = ctx_vec[None]
        return np.concatenate(
            [
                self._graph.run({"CTX": ctx, "IDS": ids[row, None], "MASK": mask[row, None]})[0]
                for row in range(len(ids))
            ]
        )
