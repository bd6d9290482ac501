# SPDX-License-Identifier: Apache-2.0
"""What the audited replies answer: built-in chats, and real campaigns that bid on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from bls.audit.options import AuditOptions
from bls.bidding import Seat
from bls.campaigns import Campaigns
from bls.request import Message

_CHATS = files("export.llm") / "parity_chats.jsonl"


@dataclass(frozen=True)
class AuditedChat:
    """One reply to come: the chat so far and who bids on its continuation."""

    name: str
    messages: tuple[Message, ...]
    seats: tuple[Seat, ...]


def audited_chats(campaigns: Campaigns, options: AuditOptions) -> list[AuditedChat]:
    """`options.replies` chats in seeded order; after all 22 they return with other campaigns."""
    rng = np.random.default_rng(options.seed)
    turns = _turns()
    order: list[int] = []
    while len(order) < options.replies:
        order += rng.permutation(len(turns)).tolist()
    return [
        AuditedChat(turns[at][0], turns[at][1], _seats(turns[at][1], campaigns, options, rng))
        for at in order[: options.replies]
    ]


def _turns() -> list[tuple[str, tuple[Message, ...]]]:
    """Every built-in chat, up to each of its user turns."""
    found = []
    for line in _CHATS.read_text(encoding="utf-8").splitlines():
        chat = json.loads(line)
        messages = tuple(Message(**turn) for turn in chat["turns"])
        for end, message in enumerate(messages, 1):
            if message.role == "user":
                found.append((f"{chat['id']}:{end}", messages[:end]))
    return found


def _seats(
    messages: tuple[Message, ...],
    campaigns: Campaigns,
    options: AuditOptions,
    rng: np.random.Generator,
) -> tuple[Seat, ...]:
    """The campaigns that fit the last message; seeded others fill the remaining seats.

    Remote bidders are left out: their rows are not the model's.
    """
    fitting = campaigns.matching(messages[-1].content, len(campaigns.campaigns))
    others = [c for c in campaigns.campaigns if c not in fitting]
    shuffled = [others[at] for at in rng.permutation(len(others))]
    local = [Seat(c.advertiser, c.creative, c.bid) for c in (*fitting, *shuffled) if c.creative]
    return tuple(local[: options.bidders])
