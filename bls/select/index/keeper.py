# SPDX-License-Identifier: Apache-2.0
"""`IndexKeeper`: generations that are always up to date with the database.

Three threads: one follows the database twice a second, so a deleted creative is gone at once and a
new one is found within seconds; one embeds what has no embedding; one builds. A generation is made
out of sight and takes over in one step, while searches that hold the old one end on it. Generations
are kept by their axes, so vectors of different P_K never meet: the two asked for last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from bls.ads.source import AdSource
from bls.brain.context import axes as projection
from bls.errors import SkynetError
from bls.keys.live import Log
from bls.keys.store import KeyStore, open_store
from bls.limits import LIMITS
from bls.models.places import Places
from bls.models.served import served_name
from bls.select.index.builder import Builder, Job, Retry, next_job, probe
from bls.select.index.embedder import Embed, Embedder, minilm
from bls.select.index.erased import ErasedCreatives, erased_creatives
from bls.select.index.key import Named, named_index
from bls.select.index.live import LiveGeneration
from bls.select.index.protocol import F32
from bls.select.index.scan import pages
from bls.select.index.stats import IndexStats
from bls.settings import Settings
from export.errors import ExportError

RELOAD, INGEST = "faiss_reload.log", "faiss_ingest.log"

_AXES = 2
_PROBE_S = 5.0
_STEP_S = 0.2
_TOLD = 32


class IndexKeeper:
    """The `Generations` of a server.

    Args:
        setting: `flat`, `ivfpq` or `auto`.
        erased: ids that are never given, whatever the database says.
        named: the live value of `/mro/index`; None serves from the database alone.
        places: where the versions may lie that it names.
        embed: makes the embedder when the first text comes; None leaves that to another process.
        stores: closed with it.
    """

    def __init__(
        self,
        source: AdSource,
        *,
        setting: str = "auto",
        erased: ErasedCreatives | None = None,
        named: Named | None = None,
        places: Places | None = None,
        embed: Callable[[], Embed] | None = minilm,
        log: Log | None = None,
        stores: Sequence[KeyStore] = (),
        poll_s: float = LIMITS.key_poll_s,
    ) -> None:
        self.stats = IndexStats()
        self._named, self._log, self._poll_s = named, log, poll_s
        self._erased, self._stores = erased, stores
        self._barred: frozenset[str] = frozenset()
        self._killed: set[str] = set()
        self._builder = Builder(source, setting, places)
        self._wanted: dict[int, F32] = {}
        self._generations: dict[int, LiveGeneration] = {}
        self._taken = ""
        self._retry = Retry()
        self._lock = threading.Lock()
        self._look, self._done = threading.Event(), threading.Event()
        self._rng = np.random.default_rng(0)
        self._probed = time.monotonic()
        self._threads: list[threading.Thread] = []
        self._embedder: Embedder | None = None
        if embed is not None:
            self._embedder = Embedder(
                source, embed, self.stats, lambda: self._barred, self._look.set
            )

    @classmethod
    def open(cls, settings: Settings, source: AdSource, log: Log) -> IndexKeeper:
        """What a server with these settings keeps. Raises `bad_setting`."""
        store = open_store(settings.key_store, settings.etcd_password)
        kept = open_store(settings.keys_kept)
        return cls(
            source,
            setting=settings.index,
            erased=erased_creatives(settings),
            named=named_index(store, settings, log, kept),
            places=Places(settings.models_folder, settings.models_fetched),
            log=log,
            stores=(store, kept),
        )

    def start(self, p_k: F32, axes: int, wait_s: float = 30.0) -> bool:
        """Begin; whether there is a generation of these axes within `wait_s`. It goes on trying."""
        self.rebuild(p_k, axes)
        for name, run in (("index-keeper", self._follow), ("index-builder", self._build)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        if self._embedder is not None:
            self._embedder.start(self._poll_s)
        until = time.monotonic() + wait_s
        while self.generation(axes) is None and time.monotonic() < until:
            time.sleep(0.02)
        return self.generation(axes) is not None

    def stop(self) -> None:
        """Stop the threads; generations go on answering."""
        self._done.set()
        self._look.set()
        if self._named is not None:
            self._named.close()
        if self._embedder is not None:
            self._embedder.stop()
        for thread in self._threads:
            thread.join(timeout=10)
        for store in self._stores:
            store.close()

    def generation(self, axes: int) -> LiveGeneration | None:
        """The live generation of these axes; None while there is none."""
        return self._generations.get(axes)

    def rebuild(self, p_k: F32, axes: int) -> None:
        """Make a generation of these axes in the background unless there is one.

        Raises `model_invalid` for a P_K that is none.
        """
        projection.check(p_k)
        with self._lock:
            wanted = {name: held for name, held in self._wanted.items() if name != axes}
            self._wanted = dict([*wanted.items(), (axes, p_k)][-_AXES:])

    def delete(self, msg_id: str) -> bool:
        """Never give this creative again while this process lives, before the database says so;
        False when no index had it."""
        with self._lock:
            self._killed.add(msg_id)
            self._barred = self._barred | {msg_id}
            return self._kill([msg_id]) > 0

    def poll(self) -> None:
        """Look at the database once. Raises `ads_unavailable`."""
        with self._lock:
            self._bar()
        for generation in list(self._generations.values()):
            before = generation.living
            added = self._catch_up(generation)
            self.stats.added += len(added)
            self.stats.removed += max(0, before + len(added) - generation.living)
            if added:
                self._tell_ingest(generation, added)
        self._count()

    def build_next(self) -> bool:
        """Build what is wanted most; whether there was anything. Never raises."""
        named = None if self._named is None or self._builder.places is None else self._named.current
        job = next_job(named, self._taken, dict(self._wanted), dict(self._generations), self._retry)
        if job is None:
            return False
        began = time.perf_counter()
        try:
            made = self._builder.build(job, self._barred)
            self._take(job, made, time.perf_counter() - began)
        except Exception as fault:  # the database, a spoilt version, memory: the old one stays
            self._refuse(job, fault, time.perf_counter() - began)
        return True

    def _take(self, job: Job, made: LiveGeneration, took: float) -> None:
        """One step: from now on this generation answers for its axes."""
        self._catch_up(made)
        with self._lock:
            self._bar()
            made.kill(self._barred)
            if job.named is not None:
                self._taken = job.named.sha256
                self._want(made)
            if job.reason not in ("named", "axes", "grown"):
                self.stats.restarts += 1
            held = {axes: one for axes, one in self._generations.items() if axes != made.axes}
            held[made.axes] = made
            order = [axes for axes in held if axes not in self._wanted]
            order += [axes for axes in self._wanted if axes in held]
            self._generations = {axes: held[axes] for axes in order[-_AXES:]}
            self.stats.generation += 1
            self.stats.build_s = round(took, 3)
            self.stats.reloads.add(source="database" if job.named is None else "version")
            self._count()
        self._tell_reload(job, took, made)

    def _want(self, made: LiveGeneration) -> None:
        """Keep a version's axes too: instead of those asked for before the last, unless these
        serve because the last have no generation yet."""
        asked = list(self._wanted.items())
        if made.axes in self._wanted:
            return
        full = len(asked) == _AXES
        if full and asked[0][0] in self._generations and asked[-1][0] not in self._generations:
            return
        self._wanted = dict([*asked[:-1], (made.axes, made.p_k), *asked[-1:]][-_AXES:])

    def _catch_up(self, generation: LiveGeneration) -> list[str]:
        """Apply what has changed since; the ids that got a row. Raises `ads_unavailable`."""
        added: list[str] = []
        for page in pages(self._builder.source, generation.seq):
            barred = self._barred
            added += generation.apply(page, barred)
            generation.kill(self._barred - barred)
        return added

    def _refuse(self, job: Job, fault: Exception, took: float) -> None:
        known = isinstance(fault, SkynetError | ExportError)
        code = fault.code if isinstance(fault, SkynetError | ExportError) else "build_failed"
        self._retry.later(job.what)
        self.stats.refusals.add(code=code)
        self._tell_reload(job, took, None, code if known else f"{code}: {type(fault).__name__}")

    def _bar(self) -> None:
        """What an erasure has named since is gone at once."""
        if self._erased is None:
            return
        barred = self._erased.current() | self._killed
        fresh = barred - self._barred
        if fresh:
            self._barred = barred
            self._kill(fresh)

    def _kill(self, msg_ids: list[str] | frozenset[str]) -> int:
        gone = sum(one.kill(msg_ids) for one in self._generations.values())
        self.stats.removed += gone
        return gone

    def _count(self) -> None:
        failures = 0
        for labels in list(self.stats.creatives):
            self.stats.creatives[labels] = 0
        for axes, generation in self._generations.items():
            self.stats.creatives[(("axes", served_name(axes)),)] = generation.living
            failures += generation.failures
        self.stats.failures = max(self.stats.failures, failures)

    def _follow(self) -> None:
        while not self._done.is_set():
            try:
                self.poll()
                self._probe()
            except Exception:  # of the database: what is known goes on being served
                self.stats.faults += 1
            self._look.wait(self._poll_s)
            self._look.clear()

    def _probe(self) -> None:
        if time.monotonic() < self._probed + _PROBE_S:
            return
        self._probed = time.monotonic()
        for generation in list(self._generations.values()):
            probe(generation, self._rng)

    def _build(self) -> None:
        while not self._done.is_set():
            if not self.build_next():
                self._done.wait(_STEP_S)

    def _tell_ingest(self, generation: LiveGeneration, added: list[str]) -> None:
        if self._log is not None:
            self._log.write(
                INGEST,
                version=generation.version,
                axes=served_name(generation.axes),
                added=len(added),
                msg_ids=added[:_TOLD],
                seq=generation.seq,
                creatives=generation.living,
            )

    def _tell_reload(
        self, job: Job, took: float, made: LiveGeneration | None, error: str = ""
    ) -> None:
        if self._log is not None:
            axes = job.axes if made is None else made.axes
            self._log.write(
                RELOAD,
                reason=job.reason,
                version="" if made is None else made.version,
                index_sha="" if job.named is None else job.named.sha256,
                axes=served_name(axes),
                kind="" if made is None else made.kind,
                creatives=0 if made is None else made.living,
                seconds=round(took, 3),
                error=error,
            )
