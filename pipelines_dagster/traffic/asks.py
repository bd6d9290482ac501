# SPDX-License-Identifier: Apache-2.0
"""What the simulated users ask: the package's own chats, who is hosted in each, who competes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from bls.campaigns import Campaign, Campaigns
from pipelines_dagster.traffic.plan import TrafficPlan
from pipelines_dagster.traffic.rivals import Rivals

_CHATS = files("export.llm") / "parity_chats.jsonl"

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Ask:
    """One reply to come. `seed`: of its readers."""

    conv_id: str
    messages: Messages
    max_tokens: int
    hosted: tuple[Campaign, ...]
    rivals: Rivals
    seed: tuple[int, int]

    def body(self) -> dict[str, Any]:
        """The request: hosted campaigns without a bid, so that the controller decides it."""
        opening = self.rivals.bids(-1)
        rivals = [
            {
                "advertiser": rival.advertiser,
                "bid": opening[rival.advertiser],
                "ad_prompt": rival.ad_prompt,
            }
            for rival in self.rivals.members
        ]
        hosted = [{"advertiser": campaign.advertiser} for campaign in self.hosted]
        return {
            "model": "skynet",
            "messages": self.messages,
            "max_tokens": self.max_tokens,
            "stream": True,
            "skynet": {"conv_id": self.conv_id, "bidders": hosted + rivals},
        }

    def words(self) -> dict[str, str]:
        """Who says what, by advertiser."""
        hosted = {campaign.advertiser: campaign.creative or "" for campaign in self.hosted}
        return hosted | {rival.advertiser: rival.ad_prompt for rival in self.rivals.members}


def asks(plan: TrafficPlan, campaigns: Campaigns) -> Iterator[Ask]:
    """Without end; each follows from the plan's seed and its own number alone."""
    turns = chats()
    hosting = tuple(c for c in campaigns.campaigns if c.creative and c.rate > 0)
    number = 0
    while True:
        yield _ask(plan, number, turns, hosting)
        number += 1


def chats() -> list[Messages]:
    """Every built-in chat, up to each of its user turns."""
    found = []
    for line in _CHATS.read_text(encoding="utf-8").splitlines():
        turns = json.loads(line)["turns"]
        found += [turns[:end] for end, turn in enumerate(turns, start=1) if turn["role"] == "user"]
    return found


def _ask(
    plan: TrafficPlan, number: int, turns: list[Messages], hosting: tuple[Campaign, ...]
) -> Ask:
    rng = np.random.default_rng([plan.seed, number])
    messages = turns[int(rng.integers(len(turns)))]
    chosen = rng.permutation(len(hosting))[: plan.hosted]
    count = int(rng.integers(plan.rivals[0], plan.rivals[1] + 1))
    return Ask(
        conv_id=f"sim-{plan.seed}-{number}",
        messages=messages,
        max_tokens=int(rng.integers(plan.tokens[0], plan.tokens[1] + 1)),
        hosted=tuple(hosting[int(at)] for at in chosen),
        rivals=Rivals(plan.scenario, count, rng),
        seed=(plan.seed, number),
    )
