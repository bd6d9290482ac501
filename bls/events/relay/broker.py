# SPDX-License-Identifier: Apache-2.0
"""A connection to Kafka that knows which cluster it speaks to.

Every connection is asked for its cluster's id before anything is sent on it, and is never reopened
behind our back: a broker that was replaced meanwhile is noticed before it gets a message. One
request at a time and broker, so a retry can overtake nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from kafka.errors import KafkaError, for_code
from kafka.future import Future
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.admin import CreateTopicsRequest
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.producer import ProduceRequest

from bls.events.relay.slices import Target
from bls.events.topics import PARTITIONS

RETENTION_MS = 24 * 3600 * 1000
_ALL_REPLICAS = -1
_EXISTS = 36


class BrokerDownError(Exception):
    """Kafka did not take it. Whether it has some of it is not known; send it again."""


class Broker:
    """Not thread-safe. After a `BrokerDownError`, `connect` again.

    Attributes:
        cluster: id of the cluster it is connected to.
        partitions: number of partitions by topic.
    """

    def __init__(
        self,
        servers: str,
        topics: Sequence[str],
        timeout_s: float = 30.0,
        connect_s: float = 5.0,
    ) -> None:
        self._servers = servers.split(",")
        self._topics = list(topics)
        self._timeout_ms = int(timeout_s * 1e3)
        self._connect_ms = int(connect_s * 1e3)
        self._net: NetworkSelector | None = None
        self._manager: Any = None
        self._lines: dict[int, Any] = {}
        self._leaders: dict[Target, int] = {}
        self.cluster = ""
        self.partitions: dict[str, int] = {}

    @property
    def connected(self) -> bool:
        return self._net is not None

    def connect(self) -> None:
        """Learn the cluster and its topics, make those that are missing. Raises `BrokerDownError`.

        A connection there was is given up.
        """
        self.close()
        self._net = NetworkSelector()
        self._manager = KafkaConnectionManager(
            self._net, bootstrap_servers=self._servers, request_timeout_ms=self._timeout_ms
        )
        self._net.start()
        try:
            self._manager.bootstrap(self._connect_ms)
            self._net.run(self._prepare)
        except (KafkaError, OSError, RuntimeError) as fault:
            self.close()
            raise BrokerDownError(type(fault).__name__) from None

    def send(self, batches: Mapping[Target, bytes]) -> Sending:
        """Start sending record batches; `Sending.wait` says how it went."""
        if self._net is None:
            raise BrokerDownError("not connected")
        return Sending(self._net.call_soon_with_future(self._produce, batches), self._timeout_ms)

    def close(self) -> None:
        if self._net is not None:
            self._net.call_soon_with_future(self._manager.close)
            self._net.stop(timeout_ms=2_000)
            self._net.close()
        self._net = self._manager = None
        self._lines = {}

    async def _prepare(self) -> None:
        node = self._manager.cluster.brokers()[0].node_id
        line = self._lines[node] = await self._manager.get_connection(node)
        found = await self._metadata(line)
        self.cluster = found.cluster_id or ""
        missing = [topic.name for topic in found.topics if topic.error_code]
        if missing:
            await self._create(found.controller_id, missing)
            found = await self._metadata(line)
        self._leaders = {
            Target(topic.name, one.partition_index): one.leader_id
            for topic in found.topics
            for one in topic.partitions
        }
        self.partitions = {topic.name: len(topic.partitions) for topic in found.topics}
        if any(self.partitions.get(topic, 0) == 0 for topic in self._topics):
            raise KafkaError("a topic has no partitions yet")
        for leader in set(self._leaders.values()) - {node}:
            line = self._lines[leader] = await self._manager.get_connection(leader)
            if ((await self._metadata(line)).cluster_id or "") != self.cluster:
                raise KafkaError("brokers of two clusters")

    async def _metadata(self, line: Any) -> Any:
        topics = [MetadataRequest.MetadataRequestTopic(name=name) for name in self._topics]
        return await line.send_request(
            MetadataRequest(topics=topics, allow_auto_topic_creation=False, max_version=8)
        )

    async def _create(self, controller: int, names: Sequence[str]) -> None:
        """Without a retention where the broker does not know it."""
        if controller not in self._lines:
            self._lines[controller] = await self._manager.get_connection(controller)
        for retention in (True, False):
            request = CreateTopicsRequest(
                topics=[_new_topic(name, retention) for name in names],
                timeout_ms=self._timeout_ms,
                validate_only=False,
            )
            answer = await self._lines[controller].send_request(request)
            codes = {one.name: one.error_code for one in answer.topics}
            names = [name for name in names if codes[name] not in (0, _EXISTS)]
            if not names:
                return
        raise for_code(codes[names[0]])()

    async def _produce(self, batches: Mapping[Target, bytes]) -> None:
        by_leader: dict[int, dict[str, list[Any]]] = {}
        for target, records in batches.items():
            topics = by_leader.setdefault(self._leaders[target], {})
            data = ProduceRequest.TopicProduceData.PartitionProduceData(
                index=target.partition, records=records
            )
            topics.setdefault(target.topic, []).append(data)
        answers = []
        for leader, topics in by_leader.items():
            request = ProduceRequest(
                transactional_id=None,
                acks=_ALL_REPLICAS,
                timeout_ms=self._timeout_ms,
                topic_data=[
                    ProduceRequest.TopicProduceData(name=name, partition_data=data)
                    for name, data in topics.items()
                ],
                min_version=3,
                max_version=9,
            )
            answers.append(self._lines[leader].send_request(request))
        for answer in answers:
            for topic in (await answer).responses:
                for one in topic.partition_responses:
                    if one.error_code:
                        raise for_code(one.error_code)()


class Sending:
    """Record batches on their way."""

    def __init__(self, future: Future, timeout_ms: int) -> None:
        self._future = future
        self._timeout_s = timeout_ms / 1e3 + 1.0
        self._done = threading.Event()
        future.add_both(lambda _: self._done.set())

    def wait(self) -> None:
        """Until every replica has them. Raises `BrokerDownError`."""
        if not self._done.wait(self._timeout_s):
            raise BrokerDownError("no answer")
        if self._future.exception is not None:
            raise BrokerDownError(type(self._future.exception).__name__) from None


def _new_topic(name: str, retention: bool) -> Any:
    topic = CreateTopicsRequest.CreatableTopic
    configs = [topic.CreatableTopicConfig(name="retention.ms", value=str(RETENTION_MS))]
    return topic(
        name=name,
        num_partitions=PARTITIONS,
        replication_factor=-1,
        assignments=[],
        configs=configs if retention else [],
    )
