# SPDX-License-Identifier: Apache-2.0
"""Tells the server when f(tau) of a reply's shop session moves while the reply is written.

Looked at with every token, told at most once at a time: what counts at the end of a reply is the
newest score the server had before it, one round trip old at worst. A reply without a session has
no `Rescore`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bls.errors import SkynetError
from bls.request import ReplyRequest, ScoreUpdate
from client.gateway.chats import Chats
from client.gateway.upstream import Triton


class Rescore:
    """Of one reply.

    Args:
        timeout_s: of one telling; what is not taken by then is told with the next token.
    """

    def __init__(
        self, triton: Triton, chats: Chats, request: ReplyRequest, timeout_s: float
    ) -> None:
        self._triton, self._chats, self._request = triton, chats, request
        self._timeout_s = timeout_s
        self._told = request.agent_probability
        self._telling: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Tell the score if it is another one; never waits, never raises."""
        request = self._request
        if request.session_id is None or self._telling is not None:
            return
        score = self._chats.score(request.conv_id, request.session_id)
        if score is not None and score != self._told:
            self._telling = asyncio.create_task(self._tell(score))

    async def close(self) -> None:
        """The reply is over: nothing is told any more."""
        if self._telling is not None:
            self._telling.cancel()
            with suppress(asyncio.CancelledError):
                await self._telling

    async def _tell(self, score: float) -> None:
        request = self._request
        update = ScoreUpdate(
            request_id=request.request_id, conv_id=request.conv_id, agent_probability=score
        )
        try:
            with suppress(SkynetError):  # it has just ended, or the server is away
                await self._triton.update(update, self._timeout_s)
                self._told = score
        finally:
            self._telling = None
