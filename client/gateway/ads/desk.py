# SPDX-License-Identifier: Apache-2.0
"""What the routes of campaigns share: the database, its threads, the guard, the limiter."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from sqlalchemy import Engine

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.ads.orders import Orders
from bls.ads.records import Checked, CreativeRecord, checked_of
from bls.ads.store import AdStore
from bls.contracts import POLICY_GUARD
from bls.errors import SkynetError
from bls.guard.ruling import UNJUDGED, Ruling
from bls.limits import LIMITS
from client.gateway.ads.judges import judge
from client.gateway.ads.rightkeys import RightKeys
from client.gateway.ads.threads import Threads, away
from client.gateway.upstream import Triton
from client.limiter import Limiter

log = logging.getLogger("skynet.ads")

WRONG_KEYS_PER_S = 20.0
"""Look-ups of wrong API keys, of all callers together."""

JUDGE_S = 2.0
"""How often creatives that wait for the guard are looked for."""


class AdDesk:
    """Made inside the event loop; opening connects to nothing.

    Args:
        url: `bls.ads.database.open_database`'s; empty: every route answers 503.
    """

    def __init__(self, url: str, password: str, triton: Triton) -> None:
        self._engine = open_database(url, password) if url else None
        self._triton = triton
        self.limiter = Limiter(LIMITS.campaign_requests_per_s)
        self.wrong_keys, self.right_keys = Limiter(WRONG_KEYS_PER_S), RightKeys()
        self.run = Threads(lambda: migrate(self.engine))
        if self._engine is not None:
            self.store, self.orders = AdStore(self._engine), Orders(self._engine)
            self._judging = asyncio.create_task(self._keep_judging())

    @property
    def engine(self) -> Engine:
        """Raises `ads_unavailable` without one."""
        if self._engine is None:
            raise away()
        return self._engine

    async def rulings(self, texts: Sequence[str]) -> list[Ruling] | None:
        """The guard's, one a text; None while it does not answer."""
        try:
            return await judge(self._triton, texts)
        except SkynetError:
            return None

    async def judge_waiting(self) -> int:
        """Ask the guard about creatives nobody has judged; how many it ruled on."""
        waiting = await self.run(lambda: self.store.to_judge(POLICY_GUARD.max_batch))
        if not waiting:
            return 0
        rulings = await self.rulings([creative.text for creative in waiting])
        if rulings is None:
            return 0
        pairs = zip(waiting, rulings, strict=True)
        verdicts = [_verdict(*pair) for pair in pairs if pair[1].reason != UNJUDGED]
        return await self.run(lambda: self.store.judge_all(verdicts))

    async def close(self) -> None:
        """End the judging, and let the database go."""
        if self._engine is None:
            return
        self._judging.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._judging
        self.run.close()
        self._engine.dispose()

    async def _keep_judging(self) -> None:
        while True:
            await asyncio.sleep(JUDGE_S)
            try:
                while await self.judge_waiting():
                    pass
            except SkynetError as fault:
                log.warning("creatives are not judged now: %s", fault.code)
            except Exception:
                log.exception("judging creatives failed")


def _verdict(creative: CreativeRecord, ruling: Ruling) -> tuple[str, int, Checked, str]:
    return creative.msg_id, creative.version, checked_of(ruling), ruling.reason
