# SPDX-License-Identifier: Apache-2.0
"""What every source must provide: sizes, quantised projections, float vectors, a tokenizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.llm.config import LlamaConfig
from export.llm.quant import F32, QuantTensor

PROJECTIONS = ("q", "k", "v", "o", "gate", "up", "down")


@dataclass(frozen=True)
class ChatFormat:
    """Token ids and the Jinja chat template that a conversation is rendered with."""

    bos_id: int
    eos_ids: tuple[int, ...]
    special_tokens: dict[str, int]
    chat_template: str


class Checkpoint(ABC):
    """A llama-architecture model as its publisher stored it.

    Rows of Q and K come in the half-split rotary order (`rotary_interleaved=0`) whatever the file.
    """

    name: str
    config: LlamaConfig
    chat: ChatFormat

    @abstractmethod
    def projection(self, layer: int, kind: str) -> QuantTensor:
        """One of `PROJECTIONS` of a layer, [out, in]."""

    @abstractmethod
    def norm(self, layer: int, kind: str) -> F32:
        """RMS norm weight of a layer, `kind` being "attention" or "mlp"."""

    @abstractmethod
    def final_norm(self) -> F32:
        """RMS norm weight before the head."""

    @abstractmethod
    def embedding(self) -> QuantTensor:
        """8-bit token embedding, [vocab, hidden]."""

    @abstractmethod
    def head(self) -> QuantTensor | None:
        """8-bit output head, or None where it is the embedding."""

    @abstractmethod
    def write_tokenizer(self, path: Path) -> None:
        """Write a `tokenizers` tokenizer.json."""

    @abstractmethod
    def quantisation(self) -> dict[str, Any]:
        """How the weights were stored and whether the repack is lossless."""
