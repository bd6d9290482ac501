# SPDX-License-Identifier: Apache-2.0
"""What the random numbers of a reply depend on: a seed, the conversation, the token's index.

The auction's generator is counter-based (Philox), so a token's draw needs no state: the same three
numbers give the same token again, on any path, in a replay or an audit.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.contracts import Mode
from bls.request import ReplyRequest

SEED_BITS = 63


CONVERSATION = 2
"""Where the conversation is in a row of `DRAW`."""


def conversation(conv_id: str) -> int:
    """64-bit digest of a `conv_id`; it also decides whether a canary serves it."""
    digest = hashlib.blake2b(conv_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@dataclass(frozen=True)
class DrawKey:
    """How one reply chooses its tokens.

    Attributes:
        seed: of the request; drawn here when sampling and the request has none.
        conv: 64-bit digest of `conv_id`.
    """

    mode: Mode
    seed: int
    conv: int

    @classmethod
    def of(cls, request: ReplyRequest) -> DrawKey:
        mode = Mode[request.auction.mode.upper()]
        seed = request.seed
        if seed is None:
            seed = secrets.randbits(SEED_BITS) if mode is Mode.SAMPLE else 0
        return cls(mode, seed, conversation(request.conv_id))

    def at(self, index: int) -> NDArray[np.uint64]:
        """`DRAW` of one row for token `index`: mode, seed, conv, index."""
        return np.array([self.mode, self.seed, self.conv, index], np.uint64)
