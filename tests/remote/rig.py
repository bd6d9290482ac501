# SPDX-License-Identifier: Apache-2.0
"""A whole exchange for one test: fake worker, real streams."""

from __future__ import annotations

import numpy as np

from bls.remote.bidder import Bidder
from bls.remote.exchange import Exchange
from bls.totals import Totals
from tests.remote.fake_worker import Client, FakeWorker


class Rig:
    """An exchange before a fake worker, with bidders `a`, `b`, ... in this order."""

    def __init__(self, *bidders: Bidder) -> None:
        self.worker = FakeWorker()
        self.exchange = Exchange(self.worker, bidders)
        self.stats = self.exchange.stats
        self.client = Client(self.exchange)
        self.exchange.start()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.exchange.stop()

    def reply(self, tokens: int, remotes: int = 1, conv: int = 1) -> list[np.ndarray]:
        """Remote row 0 of each token of a reply that then ends."""
        rows = [self.client.prefill(conv, *range(remotes))]
        for index in range(1, tokens):
            rows.append(self.client.step(conv, 1 + remotes, 40 + index))
        self.client.end(conv)
        return [row[1] for row in rows]

    def left_out(self, name: str = "a") -> dict[str, float]:
        return reasons(self.stats.left_out, name)

    def faults(self, name: str = "a") -> dict[str, float]:
        return reasons(self.stats.malformed, name)


def reasons(totals: Totals, advertiser: str) -> dict[str, float]:
    """Totals of one bidder by reason."""
    named = {dict(labels)["reason"] for labels in totals if ("advertiser", advertiser) in labels}
    return {reason: totals.of(advertiser=advertiser, reason=reason) for reason in named}


def absent(row: np.ndarray) -> bool:
    return bool((row == -np.inf).all())
