# SPDX-License-Identifier: Apache-2.0
"""Whether to ask for forecasts: not for a while after a failure, then one try at a time.

The pauses are the remote bidders' (`bls.remote.breaker`): half a second, doubled by every further
failure, at most 30 s. With a `probe` the tries are made on a thread of their own, so that no reply
pays for one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bls.remote.breaker import Breaker

PREDICTOR_FAULTS = frozenset(
    {
        "internal",
        "bad_features",
        "bad_forecast",
        "model_missing",
        "model_invalid",
        "model_hash_mismatch",
        "pca_missing",
    }
)
"""What a failed `decode_step` may say when its predictor is at fault; a dead one is `internal`."""


class PredictorHealth:
    """A circuit that many replies share; call it from any thread.

    Attributes:
        opened: how often it opened.

    Args:
        probe: tries the predictor and raises when it does not answer; None lets a reply try.
        clock: monotonic seconds.
        start: runs a probe in the background.
    """

    def __init__(
        self,
        probe: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self.opened = 0
        self._probe = probe
        self._clock = clock
        self._start = start or _on_a_thread
        self._breaker = Breaker(clock)
        self._open = False
        self._trying = False
        self._lock = threading.Lock()

    @property
    def is_open(self) -> int:
        """1 while forecasts are not asked for, for a gauge."""
        return int(self._open)

    def allows(self) -> bool:
        """Whether this reply should ask now."""
        with self._lock:
            if not self._open:
                return True
            if (self._trying and self._probe is not None) or not self._breaker.allows():
                return False
            self._trying = True
        if self._probe is None:
            return True
        self._start(self._try)
        return False

    def failed(self) -> None:
        """A forecast failed. Those that were under way when the circuit opened fail once."""
        with self._lock:
            if self._open and not self._trying:
                return
            self.opened += not self._open
            self._open = True
            self._trying = False
            self._breaker.failed(self._clock())

    def succeeded(self) -> None:
        with self._lock:
            self._open = self._trying = False
            self._breaker.succeeded()

    def _try(self) -> None:
        assert self._probe is not None
        try:
            self._probe()
        except Exception:  # whatever it says, it did not answer
            self.failed()
        else:
            self.succeeded()


def _on_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="predictor-probe", daemon=True).start()


COUNTERS = {"cbp_circuit_opened_total": ("opened", "Times forecasts were given up for a while")}
GAUGES = {"cbp_circuit_open": ("is_open", "1 while no forecast is asked for")}
