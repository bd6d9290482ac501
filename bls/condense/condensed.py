# SPDX-License-Identifier: Apache-2.0
"""What is left of a chat's head."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Condensed:
    """Summaries in the order of the chat, token ids of the served LLM's tokenizer, each at most
    `SUMMARY_TOKENS`; `windows` the head was cut into, before at most 8 were kept."""

    summaries: tuple[tuple[int, ...], ...]
    windows: int
