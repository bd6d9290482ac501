# SPDX-License-Identifier: Apache-2.0
"""all-MiniLM-L6-v2 with int8 weights on one onnxruntime thread: text to f32[384].

Each text is computed alone. Activations are quantised with one scale per tensor, so a text that
shared a batch would come out differently beside other neighbours; alone, the same text gives the
same bits always.
"""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS

F32 = NDArray[np.float32]

WIDTH = 384
_INPUTS = ["attention_mask", "input_ids", "token_type_ids"]
_OUTPUT = "last_hidden_state"
_SPECIAL = 2  # [CLS] and [SEP]


class MiniLM:
    """Args are file contents, already checked against their hashes.

    Raises `model_invalid` when they are not this model and its tokenizer.
    """

    def __init__(self, model: bytes, tokenizer: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception:  # both libraries raise bare exceptions with paths and graph details
            raise _bad() from None
        if sorted(tensor.name for tensor in self._session.get_inputs()) != _INPUTS:
            raise _bad()
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LIMITS.context_pieces, direction="left")
        self._tokenizer.encode_special_tokens = True  # a typed "[SEP]" is text like any other
        self.embed("A text of a few words, to begin with.")  # the first run allocates

    def pieces(self, text: str) -> list[int]:
        """Word pieces between [CLS] and [SEP]; of a longer text the end is kept.

        Raises `empty_text` when nothing is left to embed.
        """
        ids: list[int] = self._tokenizer.encode(text).ids
        if len(ids) <= _SPECIAL:
            raise invalid("empty_text", "There is no text to embed.", "text")
        return ids

    def embed(self, text: str) -> F32:
        """The mean of the last layer over all pieces, f32[384] of unit norm."""
        ids = np.array([self.pieces(text)], np.int64)
        feeds = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        (states,) = self._session.run([_OUTPUT], feeds)
        pooled: F32 = states[0].mean(axis=0)
        return pooled / np.linalg.norm(pooled)


def _bad() -> SkynetError:
    return SkynetError("model_invalid", "The context encoder's files are not its model.", 500)
