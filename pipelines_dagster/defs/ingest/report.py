# SPDX-License-Identifier: Apache-2.0
"""What an ingest did, by topic: for the command's line, an asset's metadata, and the metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class TopicReport:
    """Counts since the process began, and where the topic stands.

    Attributes:
        duplicates: rows that the relay had sent before.
        disordered: rows whose `seq` fell within their source.
        dead: messages that are no events.
        lost: messages Kafka dropped before they were read.
        commits: of rows or progress.
        waiting: messages in Kafka that are not in the lake.
        newest: `ts` of the newest event taken, Unix seconds; NaN before the first.
        delay_s: from event to lake, 95th percentile of the last commit's rows; NaN likewise.
        offsets: next offset by partition.
        version: of the table after the last commit, -1 before it.
    """

    rows: int = 0
    duplicates: int = 0
    disordered: int = 0
    dead: int = 0
    lost: int = 0
    commits: int = 0
    waiting: int = 0
    newest: float = math.nan
    delay_s: float = math.nan
    offsets: dict[int, int] = field(default_factory=dict)
    version: int = -1

    def lag_s(self, now: float) -> float:
        """How far the lake is behind: 0 when nothing waits, and when nothing ever came."""
        if self.waiting == 0 or math.isnan(self.newest):
            return 0.0
        return max(0.0, now - self.newest)


@dataclass
class Report:
    """Attributes:
    cluster: whose offsets these are.
    retries: of commits that the store did not take at once.
    restarts: sessions that ended because Kafka went away or became another cluster.
    caught_up: nothing that was in Kafka when the last cycle began is missing.
    reached: see `Source.reached`.
    """

    topics: dict[str, TopicReport] = field(default_factory=dict)
    cluster: str = ""
    retries: int = 0
    restarts: int = 0
    caught_up: bool = False
    reached: float = 0.0

    def has(self, asked: float) -> bool:
        """Whether everything is taken that was in Kafka at that Unix second."""
        return self.caught_up or self.reached > asked

    def topic(self, name: str) -> TopicReport:
        return self.topics.setdefault(name, TopicReport())

    @property
    def rows(self) -> int:
        return sum(topic.rows for topic in self.topics.values())

    @property
    def duplicates(self) -> int:
        return sum(topic.duplicates for topic in self.topics.values())

    @property
    def dead(self) -> int:
        return sum(topic.dead for topic in self.topics.values())

    @property
    def lost(self) -> int:
        return sum(topic.lost for topic in self.topics.values())

    @property
    def waiting(self) -> int:
        return sum(topic.waiting for topic in self.topics.values())

    def line(self) -> str:
        """One line for a terminal."""
        return (
            f"{self.rows:,} rows, {self.waiting:,} waiting, {self.duplicates:,} duplicates, "
            f"{self.dead:,} dead letters, {self.lost:,} lost, {self.retries:,} retries"
        )
