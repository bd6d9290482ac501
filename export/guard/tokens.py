# SPDX-License-Identifier: Apache-2.0
"""The classifier's byte-pair tokenizer, learned on the normal form of the training texts."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

TOKENIZER = "tokenizer.json"
PAD, UNKNOWN, START = "[PAD]", "[UNK]", "[CLS]"
_LETTERS = 200


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Its own normaliser does what it can of `bls.guard.normal`: on a normal form it changes
    nothing, and other callers may give plain text."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            *(normalizers.Replace(mark, "") for mark in "'*~`_\u2019"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, UNKNOWN, START],
        limit_alphabet=_LETTERS,
        max_token_length=16,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, tokenizer.token_to_id(START))]
    )
    tokenizer.encode_special_tokens = True
    return tokenizer
