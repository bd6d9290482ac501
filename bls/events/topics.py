# SPDX-License-Identifier: Apache-2.0
"""The Kafka topics, once: name, whether it is billing, and what numbers an event within its reply.

A topic has the name of the log stream it is shipped from. A billing stream is chained and synced
(`bls.settlement`), so whatever is slow or down, it is on disk and is shipped later; a debug stream
may lose lines under pressure, and they are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

REPLY = ("conv_id", "request_id")
SESSION = ("session_id",)


@dataclass(frozen=True)
class Topic:
    """One topic.

    Attributes:
        key: fields that, after those of `about`, make the event's id.
        retold: an event may be told again under the same id; the last one counts.
        about: what the event is of: a reply, or a session of the shop. The first field is the key
            of its message, so what is of the same one stays in order.
    """

    name: str
    billing: bool
    key: tuple[str, ...]
    retold: bool = False
    about: tuple[str, ...] = REPLY

    @property
    def lead(self) -> str:
        """The field that is a message's key."""
        return self.about[0]

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
        Topic("session.events", True, ("event_id",), about=SESSION),
        Topic("session.prices", True, ("quote_id",), about=SESSION),
    )
}
PARTITIONS = 4
"""Of every topic; the key of a message is its conv_id or its session_id, so a conversation, and a
session, stays in order."""
