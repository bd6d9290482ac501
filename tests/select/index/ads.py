# SPDX-License-Identifier: Apache-2.0
"""Creatives in memory, with the promises of `AdSource`, and small axes to see them on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import CampaignRecord, Checked, CreativeRecord, Funds
from bls.contracts import CTX
from bls.errors import SkynetError
from bls.select.index.protocol import F32

AXES = 7
WIDTH = 384


def axes_of(seed: int) -> F32:
    """Some P_K f32 [128, 384], rows orthonormal."""
    drawn = np.random.default_rng(seed).standard_normal((WIDTH, CTX))
    return np.linalg.qr(drawn)[0].T.astype(np.float32)


def unit(rows: NDArray[np.floating]) -> F32:
    made: F32 = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return made


def clustered(count: int, seed: int = 0, width: int = CTX) -> F32:
    """Unit vectors in a few hundred clumps, as texts come."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((200, width))
    return unit(centres[rng.integers(0, 200, count)] + 0.6 * rng.standard_normal((count, width)))


class Ads:
    """`AdSource`; `down` makes it unreadable."""

    def __init__(self) -> None:
        self.down = False
        self._records: dict[str, CreativeRecord] = {}
        self._seq = 0
        self._lock = threading.Lock()

    def put(self, msg_id: str, embedding: F32 | None = None, campaign: str = "c1") -> None:
        """A new creative, or another text of it; `embedding` f32 [384]."""
        with self._lock:
            held = self._records.get(msg_id)
            stored = None if embedding is None else embedding.astype("<f2").tobytes()
            record = CreativeRecord(
                msg_id,
                campaign,
                f"of_{campaign}",
                f"text of {msg_id}",
                1 if held is None else held.version + 1,
                Checked.OK,
                "",
                stored,
                False,
            )
            self._keep(record)

    def change(self, msg_id: str, **fields: Any) -> None:
        with self._lock:
            self._keep(replace(self._records[msg_id], **fields))

    def delete(self, msg_id: str) -> None:
        self.change(msg_id, deleted=True, text="", embedding=None)

    def fill(self, embeddings: F32, campaigns: int = 5) -> None:
        for row, embedding in enumerate(embeddings):
            self.put(f"m{row}", embedding, f"c{row % campaigns}")

    def campaigns(self, after: int = 0) -> Sequence[CampaignRecord]:
        return []

    def creatives(self, after: int = 0, limit: int = 10_000) -> Sequence[CreativeRecord]:
        self._up()
        with self._lock:
            found = [one for one in self._records.values() if one.seq > after]
        return sorted(found, key=lambda one: one.seq)[:limit]

    def not_embedded(self, limit: int = 256) -> Sequence[CreativeRecord]:
        found = [one for one in self.creatives() if one.embedding is None and not one.deleted]
        return [one for one in found if one.checked is Checked.OK][:limit]

    def put_embeddings(self, made: Mapping[tuple[str, int], F32]) -> int:
        self._up()
        wanted = 0
        with self._lock:
            for (msg_id, version), vector in made.items():
                held = self._records[msg_id]
                if held.version == version and not held.deleted:
                    self._keep(replace(held, embedding=vector.astype("<f2").tobytes()))
                    wanted += 1
        return wanted

    def funds(self, advertisers: Sequence[str], now: float) -> Mapping[str, Funds]:
        return {}

    def _keep(self, record: CreativeRecord) -> None:
        self._seq += 1
        self._records[record.msg_id] = replace(record, seq=self._seq)

    def _up(self) -> None:
        if self.down:
            raise SkynetError("ads_unavailable", "The database does not answer.", 503)


class Lines:
    """A log that is kept."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def write(self, stream: str, **fields: object) -> None:
        self.lines.append((stream, fields))

    def of(self, stream: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.lines if name == stream]


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
