# SPDX-License-Identifier: Apache-2.0
"""The model that serves now, and its replacement while requests go on.

A new version is loaded, checked and warmed up on the slot's own thread; then one assignment puts it
in place. A request that has taken the old one finishes with it. Whatever goes wrong, the old one
stays. A slot that is optional (a canary's) is emptied when no version is named.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.pointer import Pointer, Target
from bls.models.stats import SlotStats
from export.errors import ExportError

_RETRY_S = 5.0

Refused = Callable[[SkynetError, str], None]
"""Told of a version that is not served: the error clients see, and the reason for operators."""


class Versioned(Protocol):
    """What a slot holds."""

    @property
    def sha256(self) -> str:
        """Of the version."""


M = TypeVar("M", bound=Versioned)


class ModelSlot(Generic[M]):
    """`current()` from any thread.

    Args:
        load: makes a warmed-up model, or raises `ExportError` or `SkynetError`; never called by
            two threads.
        spare: names what serves while nothing has served yet and `pointer`'s version is refused.
        optional: no named version is no fault: the slot is empty then.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[Target], M],
        pointer: Pointer,
        *,
        spare: Pointer | None = None,
        optional: bool = False,
        stats: SlotStats | None = None,
        log: JsonLog | None = None,
        refused: Refused = lambda error, why: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stats = stats or SlotStats()
        self._name = name
        self._load = load
        self._pointer = pointer
        self._spare = spare
        self._optional = optional
        self._log = log
        self._refused = refused
        self._clock = clock
        self._model: M | None = None
        self._error = missing()
        self._target: Target | None = None
        self._failed: tuple[Target | None, float] | None = None
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def current(self) -> M:
        """The model that serves. Raises why there is none: `model_missing` (503), or the loader's.

        One request uses one answer throughout.
        """
        model = self._model
        if model is None:
            raise SkynetError(self._error.code, self._error.message, self._error.status)
        return model

    def version(self, sha256: str | None) -> M | None:
        """The model that serves if it is the one with this hash."""
        model = self._model
        return model if model is not None and model.sha256 == sha256 else None

    def start(self, period_s: float = 0.5) -> None:
        """Take the first version now, then watch."""
        self.poll()
        self._thread = threading.Thread(
            target=self._watch, args=(period_s,), name=f"{self._name}-slot", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def poll(self) -> None:
        """Look once; a version that was refused is tried again 5 s later."""
        target: Target | None = None
        began = self._clock()
        try:
            target = self._pointer()
            if target == self._target and self._model is not None:
                return
            if target is None:
                if self._optional:
                    self._close(began)
                    return
                raise ExportError("model_missing", "no version is named")
            if self._recently_failed(target):
                return
            model = self._load(target)
        except Exception as fault:  # a file that vanishes, a graph that fails its probe, ...
            self._keep_old(target, fault, began)
            self._take_spare()
        else:
            self._replace(target, model, began)

    def _take_spare(self) -> None:
        """Better what shipped than nothing: only before anything has served."""
        if self._model is not None or self._spare is None:
            return
        began = self._clock()
        with contextlib.suppress(Exception):  # then there is still nothing, and it was told why
            target = self._spare()
            if target is not None:
                failed = self._failed
                self._replace(target, self._load(target), began)
                self._failed = failed

    def _close(self, began: float) -> None:
        """No version is named any more."""
        self._failed = None
        old, self._model, self._target = self._model, None, None
        if old is not None:
            for labels in list(self.stats.model):
                self.stats.model[labels] = 0
            self._event(old, "", round(1000 * (self._clock() - began), 3))

    def _recently_failed(self, target: Target | None) -> bool:
        return (
            self._failed is not None
            and self._failed[0] == target
            and self._clock() < self._failed[1] + _RETRY_S
        )

    def _replace(self, target: Target, model: M, began: float) -> None:
        old = self._model
        self._model, self._target, self._failed = model, target, None
        took = round(1000 * (self._clock() - began), 3)
        self.stats.reloads += 1
        self.stats.reload_ms = took
        for labels in list(self.stats.model):
            self.stats.model[labels] = 0
        self.stats.model[("version", target.version), ("sha256", model.sha256)] = 1
        self._event(old, model.sha256, took)

    def _keep_old(self, target: Target | None, fault: Exception, began: float) -> None:
        if self._recently_failed(target):
            return
        took = round(1000 * (self._clock() - began), 3)
        self._failed = target, self._clock()
        self._error = error = fault if isinstance(fault, SkynetError) else missing()
        code = fault.code if isinstance(fault, ExportError) else error.code
        self.stats.failures.add(code=code)
        self._event(self._model, "" if target is None else target.sha256, took, code)
        self._refused(error, f"{type(fault).__name__}: {fault}")

    def _event(self, old: M | None, new_sha: str, took: float, error: str = "") -> None:
        if self._log is not None:
            self._log.write(
                "model_reload.event",
                model=self._name,
                old_sha="" if old is None else old.sha256,
                new_sha=new_sha,
                duration_ms=took,
                error=error,
            )

    def _watch(self, period_s: float) -> None:
        while not self._done.wait(period_s):
            self.poll()


def missing() -> SkynetError:
    """No usable version: an explicit error, never wrong values."""
    return SkynetError("model_missing", "The model is not available.", 503)
