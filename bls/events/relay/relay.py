# SPDX-License-Identifier: Apache-2.0
"""The relay's loop: lines to messages, messages to Kafka, then, acknowledged, the checkpoint.

    tail -> event -> Avro -> record batches --send--> acknowledged -> checkpoint
                    (the next slice is made meanwhile)

One slice is under way at a time, and the next is sent only after it: so the order of a partition
holds whatever fails, and a slice that is sent again repeats events but never passes any.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bls.events.relay.broker import Broker, BrokerDownError, Sending
from bls.events.relay.checkpoint import Checkpoint, ingested, source_id
from bls.events.relay.place import Place
from bls.events.relay.slices import READ, BadLine, Slice, Slicer
from bls.events.relay.stats import RelayStats
from bls.events.relay.tail import BEGINNING, Tail
from bls.events.topics import TOPICS
from bls.jsonlog import JsonLog

log = logging.getLogger("skynet.relay")

DEAD_LETTERS = "dead.letters"
_SHOWN = 4_096


class StoppedError(Exception):
    """Told to end while Kafka is away."""


@dataclass(frozen=True)
class RelayOptions:
    """Attributes:
    slice_bytes: of lines sent at once; of one stream at most `slices.READ`.
    poll_s: between two looks when there was nothing.
    checkpoint_s: between two checkpoints, at least.
    retry_s, retry_max_s: first and longest wait while Kafka is away.
    flush_s: for what is on disk when the relay is told to end.
    connect_s, timeout_s: for a connection, and for an answer.
    """

    logs: Path
    kafka: str
    topics: tuple[str, ...] = tuple(TOPICS)
    slice_bytes: int = 1 << 20
    poll_s: float = 0.05
    checkpoint_s: float = 0.25
    retry_s: float = 0.1
    retry_max_s: float = 5.0
    flush_s: float = 5.0
    connect_s: float = 5.0
    timeout_s: float = 30.0

    @property
    def name(self) -> str:
        """Begins the names of the relay's own files: several may share a folder by topic."""
        if set(self.topics) == set(TOPICS):
            return "relay"
        return "relay." + "+".join(sorted(self.topics))


class Relay:
    """One process's relay; `run` returns after `stop` is set and what can be sent is."""

    def __init__(self, options: RelayOptions) -> None:
        options.logs.mkdir(parents=True, exist_ok=True)
        self.stats = RelayStats()
        self._options = options
        self._source = source_id(options.logs)
        self._file = options.logs / f"{options.name}.json"
        self._checkpoint = Checkpoint.load(self._file)
        self._tails = {topic: Tail(options.logs, topic) for topic in options.topics}
        self._slicers = {topic: Slicer(topic, self._source) for topic in options.topics}
        self._broker = Broker(options.kafka, options.topics, options.timeout_s, options.connect_s)
        self._dead = JsonLog(options.logs, 1_000)
        self._turn = 0
        self._dirty = False
        self._saved_at = self._told_at = 0.0
        self._sent_bytes = dict.fromkeys(options.topics, 0)
        for topic, state in self._checkpoint.streams.items():
            if topic in self._tails:
                self._tails[topic].restore(state)

    def run(self, stop: threading.Event) -> None:
        """Until `stop`, and then until everything on disk is sent, at most `flush_s`."""
        try:
            self._run(stop)
        except StoppedError:
            log.warning("told to end while Kafka is away; lines wait on disk")
        self._housekeeping(force=True)
        self.close()

    def _run(self, stop: threading.Event) -> None:
        under_way: tuple[Slice, Sending] | None = None
        ends_at: float | None = None
        self._connect(stop)
        while ends_at is None or time.monotonic() < ends_at:
            if ends_at is None and stop.is_set():
                ends_at = time.monotonic() + self._options.flush_s
            made = self._gather()
            if under_way is not None and not self._finish(*under_way, stop):
                made = None  # of places that are read again
            under_way = None
            if made is not None:
                under_way = made, self._broker.send(made.batches)
            elif ends_at is not None:
                break
            else:
                stop.wait(self._options.poll_s)
            self._housekeeping()
        if under_way is not None:
            self._finish(*under_way, stop)

    def close(self) -> None:
        self._broker.close()
        self._dead.close()
        for tail in self._tails.values():
            tail.close()

    def _gather(self) -> Slice | None:
        """The next lines of every stream, another one first each time; None: there are none."""
        slice_, left = Slice(), self._options.slice_bytes
        self._turn += 1
        topics = self._options.topics
        for position in range(len(topics)):
            topic = topics[(self._turn + position) % len(topics)]
            chunk = self._tails[topic].read(min(left, READ))
            if chunk is None:
                continue
            self._tails[topic].sync()
            self._slicers[topic].add(chunk, self._broker.partitions[topic], slice_)
            slice_.ends[topic] = self._tails[topic].state
            size = sum(map(len, chunk.lines))
            self._sent_bytes[topic] += size
            left -= size
            if left < self._options.slice_bytes // 8:
                break
        return slice_ if slice_.ends else None

    def _finish(self, slice_: Slice, sending: Sending, stop: threading.Event) -> bool:
        """Wait for a slice, and send it again while Kafka is away.

        False: the cluster is another one, the slice is void. Raises `StoppedError`.
        """
        while True:
            try:
                sending.wait()
            except BrokerDownError as fault:
                self._lost(fault)
                known = self._checkpoint.cluster
                self._connect(stop)
                if self._checkpoint.cluster != known:
                    return False
                sending = self._broker.send(slice_.batches)
            else:
                self._acknowledged(slice_)
                return True

    def _acknowledged(self, slice_: Slice) -> None:
        self.stats.sent.update(slice_.counts)
        for bad in slice_.bad:
            self._bury(bad)
        self._checkpoint.streams.update(slice_.ends)
        self._dirty = True

    def _bury(self, bad: BadLine) -> None:
        """A line that is no event: kept where somebody looks, out of the others' way."""
        self.stats.dead_letters[bad.topic] += 1
        place = Place.of(bad.seq)
        self._dead.write(
            DEAD_LETTERS,
            topic=bad.topic,
            code=bad.code,
            why=bad.why,
            segment=place.segment,
            end=place.offset,
            line=bad.line[:_SHOWN].decode("utf-8", "replace"),
        )

    def _lost(self, fault: BrokerDownError) -> None:
        self.stats.errors[str(fault)] += 1
        if self.stats.connected:
            log.warning("Kafka is away (%s); lines wait on disk", fault)
        self.stats.connected = False
        self._broker.close()
        self._housekeeping(force=True)

    def _connect(self, stop: threading.Event) -> None:
        """Try until Kafka answers. Raises `StoppedError` when told to end before."""
        wait_s = self._options.retry_s
        while not self._broker.connected:
            try:
                self._broker.connect()
            except BrokerDownError as fault:
                self._lost(fault)
                if stop.wait(wait_s):
                    raise StoppedError from None
                wait_s = min(2 * wait_s, self._options.retry_max_s)
        self.stats.connected = True
        log.warning("sending to Kafka cluster %s", self._broker.cluster)
        if self._broker.cluster != self._checkpoint.cluster:
            self._begin_again()

    def _begin_again(self) -> None:
        """Another cluster: it has nothing of ours but what the lake has taken already."""
        self.stats.restarts += bool(self._checkpoint.cluster)
        for topic, tail in self._tails.items():
            state = self._checkpoint.streams.get(topic)
            tail.restore(state or BEGINNING)
            if state is None:
                continue
            taken = Place.of(ingested(self._options.logs, topic, self._source))
            tail.seek(min(taken, tail.place))
            self._checkpoint.streams[topic] = tail.state
        self._checkpoint.cluster = self._broker.cluster
        self._dirty = True

    def _housekeeping(self, force: bool = False) -> None:
        """The checkpoint and the figures, now and then."""
        now = time.monotonic()
        if self._dirty and (force or now >= self._saved_at + self._options.checkpoint_s):
            self._checkpoint.save(self._file)
            self._dirty, self._saved_at = False, now
        if force or now >= self._told_at + 1.0:
            self._told_at = now
            self._tell()

    def _tell(self) -> None:
        for topic, tail in self._tails.items():
            self.stats.dropped[topic] = tail.dropped
            self.stats.gaps[topic] = tail.gaps
            self.stats.lag_bytes[topic] = lag = tail.lag
            mean = self._sent_bytes[topic] / max(1, self.stats.sent[topic])
            self.stats.lag_records[topic] = -(-lag // max(1, int(mean)))
        self.stats.save(self._options.logs / f"{self._options.name}.prom")


def known_topics(names: Sequence[str]) -> tuple[str, ...]:
    """Topics in our order. Raises `ValueError` naming the first that is none."""
    for name in names:
        if name not in TOPICS:
            raise ValueError(f"{name} is not a topic")
    return tuple(topic for topic in TOPICS if topic in names)
