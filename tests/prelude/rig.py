# SPDX-License-Identifier: Apache-2.0
"""Stages that answer as they are told, to see what a reply does with it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bls.condense.condensed import Condensed
from bls.contracts import CTX, Use
from bls.errors import SkynetError
from bls.guard.ruling import Ruling
from bls.prelude.stages import Context
from bls.request import ReplyRequest
from bls.select.answer import Chosen, SelectAnswer, SelectRequest

AWAY = SkynetError("unavailable", "Away.", 503)


@dataclass
class Stages:
    """Every call is noted; a stage in `broken` raises it, one in `slow` takes that long first.

    Args:
        user, ad: rulings by text; others are OK.
        together: two stages that go on only when both were asked.
        axes: what the index holds; the encoder makes 1 unless asked for another.
    """

    user: dict[str, Ruling] = field(default_factory=dict)
    ad: dict[str, Ruling] = field(default_factory=dict)
    chosen: Sequence[Chosen] = ()
    axes: int = 1
    broken: dict[str, Exception] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    together: frozenset[str] = frozenset()
    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def guard(self, texts: Sequence[str], use: Use) -> list[Ruling]:
        self._called("guard" if use is Use.USER else "guard_ads", list(texts))
        known = self.user if use is Use.USER else self.ad
        return [known.get(text, Ruling()) for text in texts]

    def condense(self, head: Sequence[int], salt: int) -> Condensed:
        self._called("condense", (len(head), salt))
        return Condensed(tuple(tuple(head[at : at + 8]) for at in range(0, 64, 8)), 12)

    def encode(self, text: str, axes: int = 0) -> Context:
        self._called("encode", (text, axes))
        return Context(np.eye(1, CTX, dtype=np.float32)[0], axes or 1)

    def select(self, request: SelectRequest, context: Context) -> SelectAnswer:
        self._called("select" if request.shown is None else "shown", request)
        if context.axes != self.axes:
            raise SkynetError("axes_mismatch", "Other axes.", 409, str(self.axes))
        kept = [c for c in self.chosen if c.category not in request.excluded]
        return SelectAnswer(
            chosen=tuple(kept), lambda_sem=0.7, lambda_version=0, index="i", axes=self.axes,
            considered=len(self.chosen), gated=0,
        )  # fmt: skip

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def told(self, name: str) -> Any:
        """What the last call of that stage was given."""
        return [given for called, given in self.calls if called == name][-1]

    def until(self, name: str) -> None:
        """Wait for a call nobody waits for."""
        stop = time.monotonic() + 10
        while name not in self.names():
            assert time.monotonic() < stop
            time.sleep(0.01)

    def _called(self, name: str, given: Any) -> None:
        self.calls.append((name, given))
        if name in self.together:
            self.barrier.wait(10)
        time.sleep(self.slow.get(name, 0.0))
        if name in self.broken:
            raise self.broken[name]


def creative(advertiser: str, text: str = "", category: str = "travel", **changes: Any) -> Chosen:
    fields: dict[str, Any] = {
        "rank": 0, "msg_id": f"{advertiser}_1", "version": 1, "campaign_id": advertiser,
        "advertiser": advertiser, "brand": advertiser.title(), "category": category,
        "text": text or f"Recommend {advertiser}.", "sim": 0.9, "val": 0.5, "score": 0.8,
        "explored": False, "bid": 1.0, "rate_micros": 60_000,
    }  # fmt: skip
    return Chosen(**(fields | changes))


def asked(*said: str, **changes: Any) -> ReplyRequest:
    """User and assistant in turn, the user last."""
    roles = ["user", "assistant"][:: 1 if len(said) % 2 else -1]
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(said)]
    base = {"request_id": "r", "conv_id": "c", "messages": messages}
    return ReplyRequest.model_validate_json(json.dumps(base | changes))
