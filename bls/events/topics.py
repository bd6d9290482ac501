# SPDX-License-Identifier: Apache-2.0
"""The Kafka topics, once: name, whether it is billing, and what numbers an event within its reply.

A topic has the name of the log stream it is shipped from. A billing stream is chained and synced
(`bls.settlement`), so whatever is slow or down, it is on disk and is shipped later; a debug stream
may lose lines under pressure, and they are counted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One topic.

    Attributes:
        key: fields that, after conv_id and request_id, make the event's id.
        retold: an event may be told again under the same id; the last one counts.
    """

    name: str
    billing: bool
    key: tuple[str, ...]
    retold: bool = False

    @property
    def table(self) -> str:
        """Name of its bronze table."""
        return self.name.replace(".", "_")


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("auction.bids", True, ("token_idx",)),
        Topic("auction.vcg", True, ("token_idx",)),
        Topic("e2e.trace", True, ()),
        Topic("click.logs", True, ("advertiser",), retold=True),
        Topic("auction.policy", False, ("token_idx",)),
        Topic("mpc.decisions", False, ("token_idx", "row")),
        Topic("predictor.errors", False, ("token_idx", "advertiser")),
        Topic("tve.feedback", False, ("row",)),
        Topic("mro.select", False, ("advertiser", "rank")),
    )
}
PARTITIONS = 4
"""Of every topic; the key of a message is its conv_id, so a conversation stays in order."""
