# SPDX-License-Identifier: Apache-2.0
"""A value that is always there, always checked, and replaced while the server runs.

What is live changes in one step, from the watching thread; a reader takes `current` and has a
whole value. A bad value changes nothing: it is counted, told (`config.sig.error`, and
`config.sig.alert` when it looks like tampering), and not looked at again until it changes.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from bls.errors import SkynetError
from bls.keys.entry import Entry
from bls.keys.refusal import Reason, RefusedError
from bls.keys.signing import TrustedKeys
from bls.keys.stats import KeyStats
from bls.keys.store import KeyStore, Stop

T = TypeVar("T")


class Log(Protocol):
    """Where it is told: `bls.jsonlog.JsonLog`."""

    def write(self, stream: str, **fields: object) -> None: ...


class Live(NamedTuple, Generic[T]):
    """What is live: version 0 is the built-in value."""

    version: int
    value: T
    entry: Entry | None


class LiveValue(Generic[T]):
    """The live value of one key.

    Args:
        read: turns JSON into the value. Raises `SkynetError` for one that fails its checks.
        default: what is live until a good value is seen.
        keys: who may sign it; None takes unsigned values, for keys that move no money.
        kept: remembers what was live, so that neither an old value put back nor a spoilt file
            counts after a restart. It is checked again like any other value.
        removable: a key that is removed makes `default` live again, instead of nothing.
    """

    def __init__(
        self,
        store: KeyStore,
        key: str,
        read: Callable[[Mapping[str, Any]], T],
        default: T,
        *,
        keys: TrustedKeys | None,
        log: Log,
        stats: KeyStats | None = None,
        kept: KeyStore | None = None,
        removable: bool = False,
    ) -> None:
        self._store, self._key, self._read = store, key, read
        self._keys, self._log, self._kept = keys, log, kept
        self._default, self._removable = default, removable
        self.stats = stats or KeyStats()
        self._live: Live[T] = Live(0, default, None)
        self._refused_content = ""
        self._lock = threading.Lock()
        if kept is not None:
            self._look(kept, remember=False)
        self._stop: Stop = store.watch(key, self.look)
        self.look()

    @property
    def live(self) -> Live[T]:
        """Version and value that belong together."""
        return self._live

    @property
    def current(self) -> T:
        return self._live.value

    @property
    def version(self) -> int:
        return self._live.version

    @property
    def refused(self) -> Counter[str]:
        """Refusals by reason."""
        return Counter({dict(labels)["reason"]: n for labels, n in self.stats.refused.items()})

    def close(self) -> None:
        """Stop watching; what is live stays."""
        self._stop()

    def look(self) -> bool:
        """Read the store now. Never raises; False when it could not be read."""
        with self._lock:
            return self._look(self._store, remember=True)

    def _look(self, store: KeyStore, remember: bool) -> bool:
        try:
            entry = store.get(self._key)
            if entry is None:
                if self._live.entry is not None and remember:
                    self._gone()
                return True
            if self._live.entry is not None and entry == self._live.entry:
                self._refused_content = ""
                return True
            self._accept(entry)
        except RefusedError as refusal:
            self._refuse(refusal)
            return refusal.reason is not Reason.UNREADABLE
        except Exception as fault:  # of a store or a reader: the watch must outlive it
            self._refuse(RefusedError(Reason.UNREADABLE, why=type(fault).__name__))
            return False
        if remember and self._kept is not None:
            with contextlib.suppress(SkynetError):  # then a restart knows an older one
                self._kept.put(entry)
        return True

    def _gone(self) -> None:
        """The key was removed. Its version stays the least that counts."""
        if not self._removable:
            raise RefusedError(Reason.GONE)
        before = self._live
        self._live = Live(before.version, self._default, None)
        self._log.write("config.reload.log", key=self._key, version=0, before=before.version)

    def _accept(self, entry: Entry) -> None:
        if self._keys is not None:
            self._keys.verify(entry)
        before = self._live
        if entry.version <= before.version:
            raise RefusedError(Reason.REPLAYED, entry.identity, entry.version)
        try:
            value = self._read(entry.value)
        except SkynetError as fault:
            why = fault.message
            raise RefusedError(Reason.INVALID, entry.identity, entry.version, why) from None
        self._live = Live(entry.version, value, entry)
        self._refused_content = ""
        self.stats.version = entry.version
        self.stats.accepted += 1
        self._log.write(
            "config.reload.log",
            key=self._key,
            version=entry.version,
            before=before.version,
            key_id=entry.key_id,
            sha256=entry.sha256,
            value=entry.value,
        )

    def _refuse(self, refusal: RefusedError) -> None:
        content = f"{refusal.reason.title}:{refusal.content}"
        if content == self._refused_content:
            return
        self._refused_content = content
        self.stats.refused[(("reason", refusal.reason.title),)] += 1
        told = {
            "key": self._key,
            "reason": refusal.reason.title,
            "why": refusal.why,
            "offered": refusal.version,
            "version": self.version,
            "content": refusal.content,
        }
        self._log.write("config.sig.error", **told)
        if refusal.reason.alarming:
            self.stats.alerts += 1
            self._log.write("config.sig.alert", **told)
