# SPDX-License-Identifier: Apache-2.0
"""The real bundled broker, on a free port, to be killed and started again; and what it holds."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import kafka

from bls.events.schema import decode
from client.launcher.broker import broker_command, find_broker
from client.launcher.ports import free_port


class TestBroker:
    """`with TestBroker() as broker:`; the port stays when it is started again."""

    __test__ = False

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> TestBroker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """A cluster of its own each time."""
        command = broker_command(find_broker(), self.port)
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < deadline and self._process.poll() is None
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def messages(self, topic: str) -> list[tuple[int, dict[str, Any]]]:
        """(partition, event) of everything in a topic, by partition in order."""
        return list(self._messages(topic))

    def _messages(self, topic: str) -> Iterator[tuple[int, dict[str, Any]]]:
        consumer = kafka.KafkaConsumer(
            bootstrap_servers=self.address, auto_offset_reset="earliest", enable_auto_commit=False
        )
        try:
            partitions = consumer.partitions_for_topic(topic) or ()
            targets = [kafka.TopicPartition(topic, number) for number in sorted(partitions)]
            ends = consumer.end_offsets(targets)
            consumer.assign(targets)
            consumer.seek_to_beginning()
            while True:
                found = consumer.poll(timeout_ms=300, max_records=10_000)
                for target, records in found.items():
                    for record in records:
                        event = decode(topic, record.value)
                        assert record.key == event["conv_id"].encode()
                        yield target.partition, event
                # Tansu's end offset is that behind the *first* record of the last batch
                if not found and all(consumer.position(t) >= ends[t] for t in targets):
                    return
        finally:
            consumer.close()


def taken_once(messages: list[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What ingest keeps: per partition and source, only what rises."""
    highest: dict[tuple[int, str], int] = {}
    kept = []
    for partition, event in messages:
        place = partition, event["source"]
        if event["seq"] > highest.get(place, -1):
            highest[place] = event["seq"]
            kept.append(event)
    return kept


def eventually(check: Any, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SKYNET_")}
