# SPDX-License-Identifier: Apache-2.0
"""The tokenizer rebuilt from the GGUF vocabulary."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from export.errors import ExportError
from export.llm.gguf_tokenizer import build_tokenizer
from export.manifest import LLMManifest

TEXTS = [
    "Hello, world!",
    "  two leading spaces, a tab\tand\n\nnewlines \n",
    "In 2024 it cost $1,234.56 (+7 %).",
    "Größe, naïve, Ελλάδα, 你好, 日本語, العربية, 👩‍🚀🚀",
    "def f(x):\n    return x ** 2  # comment",
    "don't we'll I'VE",
    "",
]


@pytest.fixture(scope="module")
def tokenizer(real_llm: Path) -> Tokenizer:
    return Tokenizer.from_file(str(real_llm / "tokenizer.json"))


@pytest.mark.parametrize("text", TEXTS)
def test_round_trip(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_digits_stand_alone(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("12345").tokens == list("12345")


def test_known_ids(tokenizer: Tokenizer, real_llm: Path) -> None:
    manifest = LLMManifest.load(real_llm, verify=False)
    assert tokenizer.get_vocab_size() == manifest.vocab == 49152
    assert tokenizer.encode("<|im_start|>user\nHi<|im_end|>").ids[0] == 1
    assert tokenizer.encode("<|im_start|>user\nHi<|im_end|>").ids[-1] == 2
    assert manifest.special_tokens["<|endoftext|>"] == 0
    assert len(manifest.special_tokens) == 17
    assert (manifest.bos_id, manifest.eos_ids) == (1, [2])


def test_common_words_are_one_token(tokenizer: Tokenizer) -> None:
    words = ["the", "and", "that", "system", "user", "assistant"]
    assert all(len(tokenizer.encode(" " + word).ids) == 1 for word in words)


def test_special_tokens_are_skipped_on_request(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("a<|im_end|>").ids) == "a"


@pytest.mark.parametrize(("model", "pre"), [("llama", "default"), ("gpt2", "unknown")])
def test_other_tokenizers_are_refused(model: str, pre: str) -> None:
    values = {"tokenizer.ggml.model": model, "tokenizer.ggml.pre": pre}
    with pytest.raises(ExportError) as caught:
        build_tokenizer(lambda key, default=None: values.get(key, default))
    assert caught.value.code == "tokenizer_unsupported"
