# SPDX-License-Identifier: Apache-2.0
"""Long chats, and how likely the real LLM finds the next reply after what is left of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from bls.condense.spelling import content_words
from bls.limits import LIMITS
from export.llm.runner import OnnxLLM
from export.summariser.chats import Chat, transcript

_CHUNK = 128
_LAST_TOKENS = 380
_REPLY_TOKENS = 24


@dataclass(frozen=True)
class LongChat:
    """Ids: what is older than the tail, the 256 tokens of the tail, and the reply that came."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    reply: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return len(self.head) + len(self.tail) + len(self.reply)


def long_chats(
    chats: Sequence[Chat], tokenizer: Tokenizer, count: int, seed: int, longest: int
) -> list[LongChat]:
    """Dialogues one after the other, 1,000 to `longest` tokens, that end before a reply.

    The last dialogue is a long one, and of its replies the one is asked for that has the most words
    which the head has and the tail has not: a reply that a summary can matter to.
    """
    rng = np.random.default_rng(seed)
    encoded = {chat.name: transcript(tokenizer, chat.turns) for chat in chats}
    endings = [chat for chat in chats if len(encoded[chat.name]) >= _LAST_TOKENS]
    found = []
    for number in rng.permutation(len(endings))[:count]:
        last = endings[number]
        length = int(rng.integers(1_000, longest + 1))
        before: list[int] = []
        while len(before) < length - len(encoded[last.name]):
            other = chats[int(rng.integers(len(chats)))]
            before += encoded[other.name] if other is not last else []
        found.append(_cut(before, last, tokenizer))
    return found


def _cut(before: list[int], last: Chat, tokenizer: Tokenizer) -> LongChat:
    best: tuple[int, LongChat] | None = None
    for at, (role, text) in enumerate(last.turns):
        if role != "assistant" or at < len(last.turns) // 2:
            continue
        prompt = before + transcript(tokenizer, last.turns[:at])
        prompt += tokenizer.encode("Assistant: ", add_special_tokens=False).ids
        head, tail = prompt[: -LIMITS.tail_tokens], prompt[-LIMITS.tail_tokens :]
        reply = tokenizer.encode(text, add_special_tokens=False).ids[:_REPLY_TOKENS]
        older, newer = (set(content_words(tokenizer.decode(ids))) for ids in (head, tail))
        needs = len(set(content_words(text)) & older - newer)
        if best is None or needs > best[0]:
            best = needs, LongChat(tuple(head), tuple(tail), tuple(reply))
    assert best is not None, "every dialogue has a reply in its second half"
    return best[1]


def log_likelihood(llm: OnnxLLM, prompt: Sequence[int], reply: Sequence[int]) -> float:
    """Mean ln P of the reply's tokens after the prompt, teacher-forced."""
    logits = llm.prefill(list(prompt), 0, _CHUNK)[0]
    total = 0.0
    for at, token in enumerate(reply):
        row = logits.astype(np.float64)
        peak = row.max()
        total += row[token] - peak - np.log(np.exp(row - peak).sum())
        logits = llm.forward([[token]], [len(prompt) + at])[0]
    return total / len(reply)
