# SPDX-License-Identifier: Apache-2.0
"""Every line that the real server wrote is an event."""

from __future__ import annotations

from bls.events.from_line import from_line
from bls.events.schema import decode, encode
from bls.events.topics import TOPICS
from client.thin import click
from tests.system.probe import Probe

WRITTEN = (
    "auction.bids",
    "auction.vcg",
    "e2e.trace",
    "click.logs",
    "mpc.decisions",
    "tve.feedback",
)


def test_every_line_of_a_reply_becomes_an_event(probe: Probe) -> None:
    (last,) = [
        event for event in probe.events(max_tokens=12) if "receipt" in event.get("skynet", {})
    ]
    receipt = last["skynet"]["receipt"]
    advertiser = receipt["lines"][0]["advertiser"]
    click(probe.url, receipt["conv_id"], receipt["request_id"], advertiser)
    probe.eventually(lambda: all(probe.log(stream) for stream in WRITTEN))
    logs = probe.stack.settings.logs
    for topic in TOPICS:
        ids = []
        file = logs / topic
        for line in file.read_bytes().splitlines() if file.exists() else ():
            event = decode(topic, encode(topic, from_line(topic, line, "s", 1)))
            ids.append(event["event_id"])
        assert len(set(ids)) == len(ids)
