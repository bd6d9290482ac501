# SPDX-License-Identifier: Apache-2.0
"""The bundled broker, started on a port of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from bls.errors import SkynetError
from bls.events.topics import PARTITIONS, TOPICS
from client.launcher.broker import broker_command, find_broker
from client.launcher.ports import free_port

_READY_S = 10.0


class Broker:
    """Tansu on a port of its own, in memory; a restart forgets everything and is a new cluster."""

    def __init__(self, topics: Sequence[str] = tuple(TOPICS), partitions: int = PARTITIONS):
        self.port = free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self._topics = topics
        self._partitions = partitions
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            broker_command(find_broker(), self.port),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        admin = self._admin()
        with suppress(TopicAlreadyExistsError):  # the client may repeat what was done
            admin.create_topics([NewTopic(name, self._partitions, 1) for name in self._topics])
        admin.close()

    def _admin(self) -> Any:
        until = time.monotonic() + _READY_S
        while True:
            try:
                return KafkaAdminClient(bootstrap_servers=self.servers)
            except KafkaError:
                if time.monotonic() > until:
                    raise SkynetError("broker_missing", "The broker did not start.", 500) from None
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextmanager
    def producer(self) -> Iterator[Any]:
        """In order, every message acknowledged when it is left."""
        made = KafkaProducer(
            bootstrap_servers=self.servers,
            acks="all",
            linger_ms=20,
            batch_size=2**18,
            max_in_flight_requests_per_connection=1,
        )
        try:
            yield made
            made.flush()
        finally:
            made.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
