# SPDX-License-Identifier: Apache-2.0
"""Kafka as ingest reads it: partitions assigned, positions from the lake, never a group.

Positions are of one cluster. A broker that kept nothing comes back as another cluster, perhaps at
the same address, so the cluster is asked for again after every poll and what was polled counts
only when it is still the same.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, OffsetOutOfRangeError

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.decode import Batch

Place = tuple[str, int]
"""Topic and partition."""

_CONSUMER: dict[str, Any] = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
    "fetch_max_wait_ms": 100,
    "max_partition_fetch_bytes": 4 * 2**20,
    "fetch_max_bytes": 64 * 2**20,
    "receive_buffer_bytes": 4 * 2**20,
}


class Source:
    """One session with one cluster. Raises `kafka_unavailable`; then it is closed and made anew."""

    def __init__(self, servers: str, topics: Sequence[str], timeout_s: float = 5.0):
        self._servers = servers.split(",")
        self._consumer: Any = None
        self._admin: Any = None
        self._at: dict[Place, int] = {}
        self._newest: dict[Place, float] = {}
        self.out_of_range: list[Place] = []
        try:
            common = {
                "bootstrap_servers": self._servers,
                "request_timeout_ms": int(3 * timeout_s * 1000),
                "bootstrap_timeout_ms": int(timeout_s * 1000),
            }
            self._admin = KafkaAdminClient(**common)
            self._consumer = KafkaConsumer(**common, **_CONSUMER)
            self.cluster = self._ask_cluster()
            self.places: list[Place] = [
                (topic, partition)
                for topic in topics
                for partition in sorted(self._consumer.partitions_for_topic(topic) or ())
            ]
        except KafkaError as fault:
            self.close()
            raise _down(fault) from None

    def same_cluster(self) -> bool:
        """Whether everything polled so far was of `cluster`."""
        try:
            return self._ask_cluster() == self.cluster
        except KafkaError as fault:
            raise _down(fault) from None

    def first(self) -> dict[Place, int]:
        """First offset kept of every partition."""
        return self._ask(self._consumer.beginning_offsets)

    def end(self) -> dict[Place, int]:
        """Next offset to be written of every partition, as far as is known.

        The bundled broker answers the question for the end with the beginning of its last batch;
        what comes with fetched records (the high watermark) is right, and newer.
        """
        asked = self._ask(self._consumer.end_offsets)
        return {place: max(offset, self._highwater(place) or 0) for place, offset in asked.items()}

    def seek(self, positions: Mapping[Place, int]) -> None:
        """Read every partition from here."""
        self._at = dict(positions)
        self._consumer.assign([TopicPartition(*place) for place in positions])
        for place, offset in positions.items():
            self._consumer.seek(TopicPartition(*place), offset)

    def drained(self) -> bool:
        """Whether everything was read that was there when each partition was last asked."""
        return all(self._read_up(place) for place in self._at)

    def _read_up(self, place: Place) -> bool:
        water = self._highwater(place)
        return water is not None and self._at[place] >= water

    def reached(self) -> float:
        """Unix seconds: whatever Kafka took before this has been read.

        A producer that never pauses is never caught up with, but this moves on.
        """
        return min(
            (
                math.inf if self._read_up(place) else self._newest.get(place, 0.0)
                for place in self._at
            ),
            default=math.inf,
        )

    def poll(
        self, records: int, seconds: float, wait: bool, stop: threading.Event
    ) -> dict[str, Batch]:
        """What comes in that time, up to that many records, by topic.

        Args:
            wait: for records that are not there yet.

        Raises:
            SkynetError: `out_of_range` when a position is no longer kept.
        """
        taken: dict[str, list[Any]] = defaultdict(list)
        until = time.monotonic() + seconds
        while records > 0 and (left := until - time.monotonic()) > 0 and not stop.is_set():
            try:
                found = self._consumer.poll(min(left, 0.2) * 1000, max_records=records)
            except OffsetOutOfRangeError as fault:
                self.out_of_range = [(pair.topic, pair.partition) for pair in fault.args[0]]
                raise SkynetError("out_of_range", "Kafka dropped what was next.", 503) from None
            except KafkaError as fault:
                raise _down(fault) from None
            for pair, messages in found.items():
                taken[pair.topic] += messages
                records -= len(messages)
                self._at[pair.topic, pair.partition] = messages[-1].offset + 1
                self._newest[pair.topic, pair.partition] = messages[-1].timestamp / 1e3
            if not wait and not found and self.drained():
                break
        return {topic: _batch(topic, messages) for topic, messages in taken.items()}

    def close(self) -> None:
        for client in (self._consumer, self._admin):
            if client is not None:
                client.close()

    def _ask(self, question: Callable[[list[Any]], Mapping[Any, int]]) -> dict[Place, int]:
        if not self.places:
            return {}
        try:
            found = question([TopicPartition(*place) for place in self.places])
        except KafkaError as fault:
            raise _down(fault) from None
        return {(pair.topic, pair.partition): int(offset) for pair, offset in found.items()}

    def _highwater(self, place: Place) -> int | None:
        found = self._consumer.highwater(TopicPartition(*place))
        return None if found is None else int(found)

    def _ask_cluster(self) -> str:
        return str(self._admin.describe_cluster()["cluster_id"])


def _batch(topic: str, messages: list[Any]) -> Batch:
    return Batch(
        topic,
        [message.value for message in messages],
        np.array([message.partition for message in messages], np.int32),
        np.array([message.offset for message in messages], np.int64),
        np.array([message.timestamp for message in messages], np.int64),
    )


def _down(fault: Exception) -> SkynetError:
    return SkynetError("kafka_unavailable", f"Kafka failed: {type(fault).__name__}.", 503)
