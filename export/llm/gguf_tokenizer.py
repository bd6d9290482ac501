# SPDX-License-Identifier: Apache-2.0
"""Builds a `tokenizers` byte-level BPE tokenizer from the vocabulary inside a GGUF file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from export.errors import ExportError

_CONTROL = 3
_USER_DEFINED = 4
_LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
Field = Callable[..., Any]


def _byte_level() -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def _smollm() -> Any:
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _byte_level()])


def _llama3() -> Any:
    split = pre_tokenizers.Split(Regex(_LLAMA3_SPLIT), behavior="isolated")
    return pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


_PRE_TOKENIZERS: dict[str, Callable[[], Any]] = {
    "smollm": _smollm,
    "gpt-2": _byte_level,
    "llama-bpe": _llama3,
}


def special_tokens(field: Field) -> dict[str, int]:
    """Control tokens and their ids, in id order."""
    types = field("tokenizer.ggml.token_type")
    tokens = field("tokenizer.ggml.tokens")
    return {tokens[i]: i for i, kind in enumerate(types) if kind == _CONTROL}


def build_tokenizer(field: Field) -> Tokenizer:
    """The tokenizer; raises `tokenizer_unsupported` for anything but known byte-level BPE."""
    model, kind = field("tokenizer.ggml.model"), field("tokenizer.ggml.pre", "gpt-2")
    if model != "gpt2" or kind not in _PRE_TOKENIZERS:
        raise ExportError(
            "tokenizer_unsupported",
            f"GGUF tokenizer {model}/{kind}; supported: gpt2/{{{','.join(_PRE_TOKENIZERS)}}}",
        )
    tokens: list[str] = field("tokenizer.ggml.tokens")
    merges = [tuple(pair.split(" ", 1)) for pair in field("tokenizer.ggml.merges")]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, ignore_merges=kind == "llama-bpe")
    )
    tokenizer.pre_tokenizer = _PRE_TOKENIZERS[kind]()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([_added(token, True) for token in special_tokens(field)])
    types = field("tokenizer.ggml.token_type")
    tokenizer.add_tokens(
        [_added(tokens[i], False) for i, t in enumerate(types) if t == _USER_DEFINED]
    )
    return tokenizer


def _added(token: str, special: bool) -> AddedToken:
    return AddedToken(token, special=special, normalized=False)
