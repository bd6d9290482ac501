# SPDX-License-Identifier: Apache-2.0
"""Which jobs the engine takes. A refused job has touched nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bls.errors import SkynetError, capacity, invalid
from bls.llm.adapter_bank import NONE, AdapterBank
from bls.llm.jobs import Again, Conversation, Prefill, Step
from bls.models.served import served_name

UNKNOWN_ADAPTER = "unknown_adapter"


@dataclass(frozen=True)
class Bounds:
    """What the engine can hold: token ids, rows, positions per row, waiting prompts."""

    vocab: int
    rows: int
    length: int
    waiting: int


def refuse_step(
    job: Step, conversation: Conversation | None, pending: bool, bounds: Bounds
) -> SkynetError | None:
    """Why a step cannot be taken, or None. `pending`: its conversation already waits for one."""
    if conversation is None or not conversation.decoding:
        return SkynetError("unknown_conversation", "No such live conversation.", 409)
    if pending or job.rows != conversation.rows:
        return invalid("bad_step", "A step names every row of its conversation, once.")
    if not 0 <= job.token < bounds.vocab:
        return invalid("bad_token", "The token is outside the vocabulary.")
    if max(conversation.filled) >= bounds.length:
        return invalid("row_full", "The conversation's rows are full.")
    return None


def refuse_again(
    job: Again, conversation: Conversation | None, pending: bool
) -> SkynetError | None:
    """Why the last logits cannot be said again, or None."""
    if conversation is None or not conversation.decoding:
        return SkynetError("unknown_conversation", "No such live conversation.", 409)
    if pending or job.index != conversation.steps:
        return SkynetError("not_the_last_token", "Only the last token's logits are kept.", 409)
    return None


def unknown_adapter(adapters: Sequence[int], bank: AdapterBank | None) -> SkynetError:
    """The reply can go on without it: `param` names the first that is not held (`served_name`)."""
    lacking = (one for one in adapters if bank is None or not bank.knows([one]))
    missing = next((one for one in lacking if one != NONE), NONE)
    text = "An adapter of a row is not held."
    return SkynetError(UNKNOWN_ADAPTER, text, 409, served_name(missing))


def refuse_prefill(
    job: Prefill, known: bool, waiting: int, bounds: Bounds, bank: AdapterBank | None
) -> SkynetError | None:
    """Why a prompt cannot be taken, or None. `known`: its conversation is live or waits."""
    if known:
        return invalid("conversation_exists", "This conversation is already live.")
    if len(job.rows) > bounds.rows or max(map(len, job.rows)) >= bounds.length:
        return invalid("prompt_too_long", "The prompt does not fit the KV cache.")
    if max(map(max, job.rows)) >= bounds.vocab:
        return invalid("bad_token", "A prompt token is outside the vocabulary.")
    if waiting >= bounds.waiting:
        return capacity("replies")
    return _refuse_adapters(job, bank)


def _refuse_adapters(job: Prefill, bank: AdapterBank | None) -> SkynetError | None:
    if not job.adapters:
        return None
    if len(job.adapters) != len(job.rows) or job.adapters[0] != NONE:
        return invalid("bad_adapters", "Each row has an adapter or none; row 0 has none.")
    known = bank is not None and bank.knows(job.adapters)
    return None if known else unknown_adapter(job.adapters, bank)
