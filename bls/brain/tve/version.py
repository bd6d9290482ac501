# SPDX-License-Identifier: Apache-2.0
"""One served version of the value model: its graph and the tokenizer it was trained with."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.brain.curve import check_curve
from bls.contracts import AD_TOKENS, CTX, ModelContract, Tensor
from bls.errors import SkynetError, invalid
from bls.models.onnx_model import OnnxModel
from bls.models.pointer import Target
from export.errors import ExportError

F32 = NDArray[np.float32]

TOKENIZER = "tokenizer.json"
TEXT_BYTES = 16 * 1024
"""Longest ad text; of a shorter one the first 48 tokens count."""

GRAPH = ModelContract(
    "tve",
    32,
    (
        Tensor("CTX", "FP32", (CTX,)),
        Tensor("IDS", "INT64", (-1,)),  # the ad's own tokens, at most 48
        Tensor("MASK", "INT64", (-1,)),
    ),
    (Tensor("CURVE", "FP32", (4,)),),
)
"""What `model.onnx` takes and gives; `export.tve` writes it."""


class Version:
    """Rows are run one by one and without padding: sums of another shape differ in their last bits
    (in int8, in their first), and a curve must not depend on which ads it was asked for with."""

    def __init__(self, target: Target) -> None:
        """Raises `ExportError`: the codes of `OnnxModel`, or `model_contract`."""
        self._graph = OnnxModel(target.folder, GRAPH, target.sha256)
        self.sha256 = self._graph.sha256
        self._tokenizer = _tokenizer(target, self._graph.manifest.files.get(TOKENIZER, ""))

    def tokens(self, text: str) -> NDArray[np.int64]:
        """The ids of a text, 1 to 48 of them.

        Raises `empty_ad` or `ad_too_long` (400).
        """
        if len(text) > TEXT_BYTES or len(text.encode("utf-8", "replace")) > TEXT_BYTES:
            raise invalid("ad_too_long", f"An ad has at most {TEXT_BYTES} bytes.")
        found = self._tokenizer.encode(text.strip())
        count = sum(found.attention_mask)
        if count == 0:
            raise invalid("empty_ad", "The ad has no text.")
        return np.array(found.ids[:count], np.int64)

    def curve(self, ctx: F32, ids: NDArray[np.int64]) -> F32:
        """v_max, a, k_0 and spread [4] of one pair. Raises `bad_curve` when out of range."""
        tensors: dict[str, NDArray[Any]] = {
            "CTX": ctx[None],
            "IDS": ids[None],
            "MASK": np.ones_like(ids)[None],
        }
        curve: F32 = self._graph.run(tensors)[0][0]
        check_curve(*curve)
        return curve


def load(target: Target) -> Version:
    """A version that has passed every check, warmed up. Raises `ExportError`."""
    version = Version(target)
    try:
        for count in (1, AD_TOKENS):
            version.curve(np.zeros(CTX, np.float32), np.zeros(count, np.int64))
    except SkynetError:
        raise ExportError("bad_curve", "the model's curve is out of range") from None
    return version


def _tokenizer(target: Target, sha256: str) -> Any:
    try:
        content = (target.folder / TOKENIZER).read_bytes()
    except OSError:
        raise ExportError("model_missing", f"no {TOKENIZER} in the folder") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ExportError("model_hash_mismatch", f"{TOKENIZER} does not match its SHA-256")
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception:  # the library raises a bare Exception with the file's text
        raise ExportError("model_contract", f"{TOKENIZER} cannot be loaded") from None
    probe = tokenizer.encode("an ad")
    if len(probe.ids) != AD_TOKENS or not 1 <= sum(probe.attention_mask) < AD_TOKENS:
        raise ExportError("model_contract", f"{TOKENIZER} does not pad to {AD_TOKENS}")
    return tokenizer
