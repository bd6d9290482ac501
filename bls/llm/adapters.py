# SPDX-License-Identifier: Apache-2.0
"""Keeps the worker's adapters as `/cg/lora` says, while replies go on.

All adapters of a value are loaded and checked, then they are acknowledged in one step: replies that
begin after it take them, replies that began before keep what they have. When one of them cannot be
loaded nothing is acknowledged and what was live stays. Every swap is a line of `lora_swap.log` with
the SHA-256 of the weights as the graph reads them (content_generation U-07).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bls.errors import SkynetError
from bls.keys.entry import Entry
from bls.keys.live import Live, LiveValue, Log
from bls.keys.refusal import RefusedError
from bls.keys.signing import load_trusted
from bls.keys.store import KeyStore, open_store
from bls.llm.adapters_key import LIVE_KEY, LORA_KEY, Adapters, NamedAdapter
from bls.llm.jobs import Job, Load, Loaded, Span
from bls.models.places import Places
from bls.models.pointer import Target
from bls.models.served import served_name
from bls.settings import Settings
from bls.totals import Totals
from export.errors import ExportError

_PERIOD_S = 0.2
_RETRY_S = 5.0
_LOAD_S = 60.0


class Worker(Protocol):
    """What holds the model: `bls.llm.supervisor.Supervisor`."""

    def submit(self, job: Job) -> None: ...

    def gone_adapters(self) -> set[int]: ...


@dataclass
class AdapterStats:
    """Written by the keeper's thread."""

    swaps: int = 0
    swap_ms: float = 0.0
    adapters: int = 0
    lost: int = 0
    failures: Totals = field(default_factory=Totals)


class AdapterKeeper:
    """`start` before requests are served; `poll` is what its thread does.

    Args:
        named: the live value of `/cg/lora`.
        told: the server's own store, where what is loaded is acknowledged.
        opened: stores that are closed with it.
    """

    def __init__(
        self,
        named: LiveValue[Adapters],
        told: KeyStore,
        places: Places,
        worker: Worker,
        *,
        log: Log,
        clock: Callable[[], float] = time.monotonic,
        opened: Sequence[KeyStore] = (),
    ) -> None:
        self._named, self._told, self._places = named, told, places
        self._worker, self._log, self._clock = worker, log, clock
        self._opened = tuple(opened)
        self._acknowledged = Adapters()
        self._gone: set[int] = set()
        self._failed: tuple[Live[Adapters], float] | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="adapters", daemon=True)
        self.stats = AdapterStats()

    @classmethod
    def open(cls, settings: Settings, worker: Worker, log: Log) -> AdapterKeeper:
        """The keeper of a server with these settings. Raises `bad_setting`."""
        trusted = None
        if settings.models_public_keys:
            trusted = load_trusted(settings.models_public_keys, "models_public_keys")
        told = open_store(settings.keys_kept)
        store = open_store(settings.key_store, settings.etcd_password)
        named: LiveValue[Adapters] = LiveValue(
            store,
            LORA_KEY,
            Adapters.of,
            Adapters(),
            keys=trusted,
            log=log,
            kept=told,
            removable=True,
        )
        places = Places(settings.models_folder, settings.models_fetched)
        return cls(named, told, places, worker, log=log, opened=(store, told))

    def start(self) -> None:
        """The worker is new and holds nothing: say so, then load what the key names."""
        self._acknowledge(Adapters())
        self.poll()
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._named.close()
        for store in self._opened:
            store.close()

    def poll(self) -> None:
        """Load what is named and not acknowledged yet. Never raises."""
        self._forget_gone()
        live = self._named.live
        if live.value == self._acknowledged or self._recently_failed(live):
            return
        began = self._clock()
        try:
            weights = {one.number: self._load(one) for one in live.value.named}
            self._acknowledge(live.value)
        except (SkynetError, ExportError) as fault:
            self._failed = live, self._clock()
            self.stats.failures.add(code=fault.code)
            self._event(live, began, {}, fault.code)
            return
        self._failed = None
        self.stats.swaps += 1
        self.stats.adapters = len(live.value.named)
        self.stats.swap_ms = round(1000 * (self._clock() - began), 3)
        self._event(live, began, weights)

    def _forget_gone(self) -> None:
        """What a new worker does not hold is not acknowledged any more; `poll` then tries again."""
        self._gone |= self._worker.gone_adapters()
        left = tuple(one for one in self._acknowledged.named if one.number not in self._gone)
        lost = len(self._acknowledged.named) - len(left)
        if lost:
            try:
                self._acknowledge(Adapters(left))
            except (SkynetError, ExportError) as fault:  # the next poll tries again
                self.stats.failures.add(code=fault.code)
                return
            self.stats.lost += lost
            self.stats.adapters = len(left)
        self._gone.clear()

    def _load(self, one: NamedAdapter) -> str:
        """SHA-256 of its weights in the worker."""
        key = one.version
        folder = self._places.folder(Target(key.version, Path(), key.sha256, key.uri))
        answers: queue.SimpleQueue[Span | SkynetError] = queue.SimpleQueue()
        self._worker.submit(Load(one.number, str(folder), key.sha256, answers.put))
        try:
            answer = answers.get(timeout=_LOAD_S)
        except queue.Empty:
            raise SkynetError("adapter_late", "The adapter was not loaded in time.", 503) from None
        if isinstance(answer, SkynetError):
            raise answer
        return answer.sha256 if isinstance(answer, Loaded) else ""

    def _acknowledge(self, adapters: Adapters) -> None:
        """Replies may take these from now on. Raises `keys_unwritable`."""
        with suppress(RefusedError):  # spoilt: it is replaced
            entry = self._told.get(LIVE_KEY)
            if adapters.value() == (Adapters().value() if entry is None else entry.value):
                self._acknowledged = adapters
                return
        version = self._told.newest(LIVE_KEY) + 1
        self._told.put(Entry.of(LIVE_KEY, version, int(time.time()), adapters.value()))
        self._acknowledged = adapters

    def _recently_failed(self, live: Live[Adapters]) -> bool:
        failed = self._failed
        return failed is not None and failed[0] == live and self._clock() < failed[1] + _RETRY_S

    def _event(
        self, live: Live[Adapters], began: float, weights: dict[int, str], error: str = ""
    ) -> None:
        named = [
            {
                "name": one.version.version,
                "adapter": served_name(one.number),
                "sha256": one.version.sha256,
                "weights_sha256": weights.get(one.number, ""),
            }
            for one in live.value.named
        ]
        took = round(1000 * (self._clock() - began), 3)
        self._log.write(
            "lora_swap.log", version=live.version, adapters=named, duration_ms=took, error=error
        )

    def _watch(self) -> None:
        while not self._done.wait(_PERIOD_S):
            self.poll()


COUNTERS = {
    "cg_lora_swaps_total": ("swaps", "Sets of adapters put to work"),
    "cg_lora_lost_total": ("lost", "Adapters that a restarted worker could not load again"),
    "cg_lora_failures_total": ("failures", "Sets of adapters refused, by reason"),
}
GAUGES = {
    "cg_lora_swap_ms": ("swap_ms", "Load, check and acknowledgement of the last set, ms"),
    "cg_lora_adapters": ("adapters", "Adapters that rows can take"),
}
