# SPDX-License-Identifier: Apache-2.0
"""The only thread that talks to Redis: writes what changed, reads what another server left.

What waits to be written is a set of conversations, not a list of changes: a write carries the whole
window as it is by then. So an outage delays writes and loses none, a slow Redis gets fewer of them,
and the set is as bounded as the hub.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from redis import Redis

from bls.brain.hub.stats import HubStats
from bls.limits import LIMITS, Limits

PREFIX = "cbp:window:"


class RedisLine:
    """`changed` and `closed` never wait; `fetch` waits `hub_read_s` at most.

    Args:
        snapshot: the text to write for a conversation, None when it is gone.
    """

    def __init__(
        self,
        client: Redis,
        snapshot: Callable[[str], bytes | None],
        stats: HubStats,
        limits: Limits = LIMITS,
    ) -> None:
        self._client = client
        self._snapshot = snapshot
        self._stats = stats
        self._limits = limits
        self._pending: OrderedDict[str, bool] = OrderedDict()  # -> whether it was closed
        self._reads: list[tuple[str, Future[bytes | None]]] = []
        self._wake = threading.Condition()
        self._stopping = False
        self._down_since: float | None = None
        self._pause = limits.hub_retry_s
        self._thread = threading.Thread(target=self._run, name="redis-line", daemon=True)
        self._thread.start()

    def changed(self, conv_id: str) -> None:
        self._mark(conv_id, False)

    def closed(self, conv_id: str) -> None:
        self._mark(conv_id, True)

    def fetch(self, conv_id: str) -> bytes | None:
        """What Redis has of a conversation; None when it has nothing, is down or is slow."""
        answer: Future[bytes | None] = Future()
        with self._wake:
            if self._down_since is not None or self._stopping:
                return None
            self._reads.append((conv_id, answer))
            self._wake.notify()
        try:
            return answer.result(self._limits.hub_read_s)
        except TimeoutError:
            self._stats.redis_errors += 1
            return None

    def stop(self) -> None:
        """Write what waits, unless Redis is down, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout=4 * self._limits.hub_connect_s)
        self._client.close()

    def _mark(self, conv_id: str, closed: bool) -> None:
        with self._wake:
            if conv_id not in self._pending and len(self._pending) >= self._most:
                self._pending.popitem(last=False)
                self._stats.redis_dropped += 1
            self._pending[conv_id] = closed
            self._stats.redis_pending = len(self._pending)
            self._wake.notify()

    @property
    def _most(self) -> int:
        return self._limits.hub_conversations

    def _run(self) -> None:
        while self._wait():
            with self._wake:
                batch, self._pending = self._pending, OrderedDict()
                reads, self._reads = self._reads, []
            try:
                self._exchange(batch, reads)
            except Exception:  # whatever it was, the window is kept and tried again
                self._failed(batch, reads)
            else:
                self._succeeded()
            self._stats.redis_pending = len(self._pending)

    def _wait(self) -> bool:
        """Until there is something to do; False when it is time to end."""
        with self._wake:
            if self._down_since is not None:
                self._wake.wait_for(lambda: self._stopping, self._pause)
                return not self._stopping
            self._wake.wait_for(lambda: self._pending or self._reads or self._stopping)
            if self._pending:  # gather more tokens first, unless somebody waits
                self._wake.wait_for(lambda: self._reads or self._stopping, self._limits.hub_flush_s)
            return bool(self._pending or self._reads)

    def _exchange(
        self, batch: OrderedDict[str, bool], reads: list[tuple[str, Future[bytes | None]]]
    ) -> None:
        """One round trip."""
        ttl_ms = int(self._limits.hub_ttl_s * 1000)
        if self._down_since is not None:
            self._client.ping()
        written = 0
        with self._client.pipeline(transaction=False) as pipe:
            for conv_id, closed in batch.items():
                text = None if closed else self._snapshot(conv_id)
                if text is not None:
                    pipe.set(PREFIX + conv_id, text, px=ttl_ms)
                    written += 1
                elif closed:
                    pipe.unlink(PREFIX + conv_id)
            for conv_id, _ in reads:
                pipe.get(PREFIX + conv_id)
            answers = pipe.execute()
        for (_, answer), found in zip(reads, answers[len(answers) - len(reads) :], strict=True):
            answer.set_result(found)
        self._stats.redis_writes += written

    def _failed(
        self, batch: OrderedDict[str, bool], reads: list[tuple[str, Future[bytes | None]]]
    ) -> None:
        self._stats.redis_errors += 1
        with self._wake:
            if self._down_since is None:
                self._down_since = time.monotonic()
                self._stats.redis_outages += 1
                self._stats.redis_up = 0
            else:
                self._pause = min(2 * self._pause, self._limits.hub_retry_max_s)
            waiting, self._reads = reads + self._reads, []
            self._pending = OrderedDict(batch | self._pending)
            while len(self._pending) > self._most:
                self._pending.popitem(last=False)
                self._stats.redis_dropped += 1
        for _, answer in waiting:
            if not answer.done():
                answer.set_result(None)

    def _succeeded(self) -> None:
        self._stats.redis_up = 1
        with self._wake:
            if self._down_since is not None:
                outage = time.monotonic() - self._down_since
                self._stats.redis_failover_ms = round(1000 * outage, 3)
                self._down_since = None
                self._pause = self._limits.hub_retry_s
