# SPDX-License-Identifier: Apache-2.0
"""Replies drawn from the blend: chosen per request, reproducible, charged by their own rule."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.system.probe import Probe

BIDDERS = [{"advertiser": "alpine_rail", "bid": 1.5}, {"advertiser": "harbor_hotels", "bid": 1.2}]


def drawn(probe: Probe, conv_id: str, **changes: Any) -> list[dict[str, Any]]:
    """The auction field of every event of a sampled reply."""
    options = {"mode": "sample", "bidders": BIDDERS, "conv_id": conv_id}
    events = list(probe.events(max_tokens=16, temperature=1.0, skynet=options, **changes))
    return [event["skynet"] for event in events if event.get("skynet")]


def token_ids(fields: list[dict[str, Any]]) -> list[int]:
    return [field["token_id"] for field in fields if "token_id" in field]


def test_a_seed_and_a_conversation_name_one_reply(probe: Probe) -> None:
    first = drawn(probe, "draw-a", seed=5)
    assert token_ids(first) == token_ids(drawn(probe, "draw-a", seed=5))
    assert token_ids(first) != token_ids(drawn(probe, "draw-a", seed=6))
    assert token_ids(first) != token_ids(drawn(probe, "draw-b", seed=5))


def test_without_a_seed_one_is_drawn_and_told(probe: Probe) -> None:
    first, second = drawn(probe, "draw-c"), drawn(probe, "draw-c")
    seeds = [fields[0]["seed"] for fields in (first, second)]
    assert seeds[0] != seeds[1]
    assert token_ids(first) != token_ids(second)
    assert token_ids(drawn(probe, "draw-c", seed=seeds[0])) == token_ids(first)
    assert first[-1]["receipt"]["seed"] == seeds[0]


def test_the_receipt_names_the_payment_and_adds_up(probe: Probe) -> None:
    fields = drawn(probe, "draw-d", seed=9)
    tokens = [field for field in fields if "token_id" in field]
    receipt = fields[-1]["receipt"]
    assert (receipt["mode"], receipt["charge_rule"]) == ("sample", "stable_sampling")
    assert receipt["total_micros"] > 0
    for line in receipt["lines"]:
        row = line["row"] - 1
        charged = math.fsum(token["rows"][row]["charge"] for token in tokens)
        assert line["charge_micros"] == round(charged * receipt["micros_per_weight"])
        assert all(token["rows"][row]["critical_bid"] == 0 for token in tokens)


@pytest.mark.parametrize("mode", ["argmax", "sample"])
def test_replies_of_both_modes_live_side_by_side(probe: Probe, mode: str) -> None:
    options = {"mode": mode, "bidders": BIDDERS, "conv_id": "side"}
    first = probe.tokens(seed=1, skynet=options)
    other = {"mode": "sample" if mode == "argmax" else "argmax", "bidders": BIDDERS}
    probe.tokens(skynet=other)
    again = probe.tokens(seed=1, skynet=options)
    assert first == again
