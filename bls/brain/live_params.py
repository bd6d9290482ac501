# SPDX-License-Identifier: Apache-2.0
"""`/mpc/params` as the reply loop reads it: before each token, without a lock."""

from __future__ import annotations

from bls.brain.params import KEY, MpcParams, read_params
from bls.keys.live import LiveValue, Log
from bls.keys.signing import TrustedKeys
from bls.keys.stats import KeyStats
from bls.keys.store import KeyStore


class LiveParams(LiveValue[MpcParams]):
    """`live` gives version and parameters that belong together; `current` and `version` are its
    parts. See `LiveValue`.
    """

    def __init__(
        self,
        store: KeyStore,
        keys: TrustedKeys,
        log: Log,
        stats: KeyStats | None = None,
        kept: KeyStore | None = None,
    ) -> None:
        super().__init__(
            store, KEY, read_params, MpcParams(), keys=keys, log=log, stats=stats, kept=kept
        )

    def __call__(self) -> tuple[MpcParams, int]:
        """Parameters and version that belong together."""
        live = self.live
        return live.value, live.version
