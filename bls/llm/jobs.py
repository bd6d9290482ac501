# SPDX-License-Identifier: Apache-2.0
"""What the engine is asked for, and the state it keeps of one conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bls.contracts import PAD
from bls.errors import SkynetError, invalid
from bls.llm.prefix_store import common_prefix


@dataclass(frozen=True)
class Span:
    """Rows `start` .. `start + rows` of the session's logits; they hold until the next job."""

    start: int
    rows: int


@dataclass(frozen=True)
class Loaded(Span):
    """An adapter may be named from now on. `sha256`: of its weights as the graph reads them, hex;
    `seconds`: what it took."""

    sha256: str
    seconds: float


NOTHING = Span(0, 0)
"""Answer of a job that has no logits."""

Reply = Callable[[Span | SkynetError], None]
"""Called exactly once per job, on the engine's thread."""


@dataclass(frozen=True)
class Prefill:
    """Start a conversation: every row's whole prompt. `adapters`: of each row, 0 for none; empty
    when no row has one."""

    conv: int
    salt: int
    rows: tuple[tuple[int, ...], ...]
    reply: Reply
    adapters: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """Append `token` to every row of a conversation."""

    conv: int
    rows: int
    token: int
    reply: Reply


@dataclass(frozen=True)
class End:
    """Free a conversation's rows; unknown conversations are fine (END is idempotent)."""

    conv: int
    reply: Reply


@dataclass(frozen=True)
class Again:
    """The logits of token `index` (0 the first) once more, if they are the last."""

    conv: int
    index: int
    reply: Reply


@dataclass(frozen=True)
class Away:
    """A conversation waits for somebody else's logits: no decode batch is to wait for it."""

    conv: int
    reply: Reply


@dataclass(frozen=True)
class Load:
    """Hold an adapter, from the folder of a version whose manifest has this SHA-256.

    Answered `Loaded`, from another thread than the engine's, when rows may name it. Replies under
    way do not notice. To load one that is held is to say that it is still wanted.
    """

    adapter: int
    folder: str
    sha256: str
    reply: Reply


Job = Prefill | Step | Again | End | Away | Load


@dataclass
class Conversation:
    """Rows `start` .. `start + R` of the cache, and how far each got.

    `shared` is the length of the prefix that all rows have in common; it is computed once, in
    row 0, and its KV copied to the others. `steps` are the tokens appended since. `slots` are those
    of the rows' `adapters`, -1 for none; None when no row has one.
    """

    conv: int
    salt: int
    prompts: tuple[tuple[int, ...], ...]
    start: int
    touched_at: float
    filled: list[int] = field(default_factory=list)
    reused: int = 0
    decoding: bool = False
    steps: int = 0
    adapters: tuple[int, ...] = ()
    slots: NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        return len(self.prompts)

    @property
    def span(self) -> Span:
        return Span(self.start, self.rows)

    @property
    def shared(self) -> int:
        return shared_prefix(self.prompts)


def shared_prefix(prompts: tuple[tuple[int, ...], ...]) -> int:
    """Tokens common to all rows, leaving every row but row 0 at least one of its own."""
    if len(prompts) == 1:
        return len(prompts[0])
    first = prompts[0]
    shared = min(common_prefix(first, other) for other in prompts[1:])
    return min(shared, *(len(other) - 1 for other in prompts[1:]))


def unpad(ids: NDArray[np.int32]) -> tuple[tuple[int, ...], ...]:
    """Prompt rows from a right-padded `IDS` [R, L]. Raises `invalid` on padding inside a row."""
    lengths = (ids != PAD).sum(axis=1)
    inside = np.arange(ids.shape[1]) < lengths[:, None]
    if (lengths == 0).any() or (ids[inside] < 0).any():
        raise invalid("bad_prompt_rows", "Prompt rows must be right-padded and not empty.")
    return tuple(
        tuple(row[:length].tolist()) for row, length in zip(ids, lengths.tolist(), strict=True)
    )


def neighbours(batch: list[Conversation]) -> list[list[Conversation]]:
    """Split conversations sorted by start into runs whose rows touch."""
    runs: list[list[Conversation]] = []
    for conversation in batch:
        if runs and runs[-1][-1].start + runs[-1][-1].rows == conversation.start:
            runs[-1].append(conversation)
        else:
            runs.append([conversation])
    return runs


def slots_of(run: list[Conversation]) -> NDArray[np.int64] | None:
    """Adapter slot of every row of a run, -1 for none; None when no row has one."""
    if all(conversation.slots is None for conversation in run):
        return None
    return np.concatenate(
        [np.full(c.rows, -1, np.int64) if c.slots is None else c.slots for c in run]
    )
