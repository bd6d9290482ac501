# SPDX-License-Identifier: Apache-2.0
"""The ad tower's byte-pair tokenizer: trained once on ad texts, shipped as `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from bls.contracts import AD_TOKENS

I64 = NDArray[np.int64]

PAD_TOKEN = "[PAD]"
PAD_ID = 0
SHOUTED = "↑"
TOKENIZER = "tokenizer.json"

_SHOUT = r"(?<![A-Z])\s(?=[A-Z]{2})"  # takes the space: matches of no width break `tokenizers`


def train_tokenizer(texts: Iterable[str], vocabulary: int = 4096) -> Any:
    """A byte-level BPE of at most `vocabulary` entries; any text has tokens, none is unknown.

    Case is folded, and a run of words in capitals gets one mark before it: shouting is a manner of
    an ad, not another ad.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Prepend(" "),
            normalizers.Replace(Regex(_SHOUT), f" {SHOUTED}"),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[PAD_TOKEN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sorted(set(texts)), trainer)
    tokenizer.enable_truncation(AD_TOKENS)
    tokenizer.enable_padding(length=AD_TOKENS, pad_id=PAD_ID, pad_token=PAD_TOKEN)
    return tokenizer


def encode(tokenizer: Any, texts: Sequence[str]) -> tuple[I64, I64]:
    """IDS and MASK, i64 [n, 48]."""
    found = tokenizer.encode_batch(list(texts))
    ids = np.array([one.ids for one in found], np.int64).reshape(-1, AD_TOKENS)
    mask = np.array([one.attention_mask for one in found], np.int64).reshape(-1, AD_TOKENS)
    return ids, mask


def load_tokenizer(path: Path) -> Any:
    """The tokenizer in a file. Raises what `tokenizers` raises."""
    return Tokenizer.from_file(str(path))
