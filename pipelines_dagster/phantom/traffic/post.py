# SPDX-License-Identifier: Apache-2.0
"""Sends made sessions to a gateway, as a shop would, and says that they are synthetic.

The gateway takes events of the last day only: a session's clock is moved so that it ends now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.phantom.session import Session
from client.replies import ReplyError
from client.thin import post_json

_TRIES = 6
_PAUSE_S = 0.25
Post = Callable[[str, str, dict[str, Any]], dict[str, Any]]


class Poster:
    """One gateway. `events`, `quotes`: taken by it so far.

    Args:
        label_only: the shop has told it everything else already.
    """

    def __init__(
        self,
        url: str,
        post: Post = post_json,
        pause_s: float = _PAUSE_S,
        label_only: bool = False,
    ) -> None:
        self._url, self._post, self._pause_s = url, post, pause_s
        self._label_only = label_only
        self.events = 0
        self.quotes = 0

    def send(self, session: Session) -> None:
        """The label first, so that no act of it is ever taken for anybody's own.

        Raises:
            SkynetError: what the gateway refuses with, `gateway_away`.
        """
        shift = _shift(session)
        label = {"label": session.label, "origin": session.origin, "actor": session.actor}
        self._try(f"/v1/sessions/{session.sid}/label", label | {"mode": session.mode})
        if self._label_only:
            return
        head = {"session_id": session.sid, "mode": session.mode}
        for some in _parts(_events(session, shift), LIMITS.events_per_request):
            self._try("/v1/events", head | {"events": some})
            self.events += len(some)
        for some in _parts(_quotes(session, shift), LIMITS.quotes_per_request):
            self._try("/v1/prices", head | {"quotes": some})
            self.quotes += len(some)

    def _try(self, path: str, body: dict[str, Any]) -> None:
        """Again after a 429 or a fault of the server: entries keep their ids."""
        for attempt in range(_TRIES):
            try:
                self._post(self._url, path, body)
                return
            except ReplyError as fault:
                code, status = fault.code, fault.status or 502
                if status != httpx.codes.TOO_MANY_REQUESTS and status < 500:
                    raise SkynetError(code, str(fault), status, fault.param) from None
            except httpx.HTTPError:
                code, status = "gateway_away", 502
            time.sleep(self._pause_s * 2**attempt)
        raise SkynetError(code, "The gateway does not take the sessions.", status)


def _shift(session: Session) -> int:
    times = [one.ts_ms for one in session.events] + [one.ts_ms for one in session.quotes]
    return time.time_ns() // 1_000_000 - max(times, default=0)


def _events(session: Session, shift: int) -> list[dict[str, Any]]:
    told = []
    for number, one in enumerate(session.events):
        entry = {
            "event_id": f"{session.sid}:e{number}",
            "action": one.action,
            "ts_ms": one.ts_ms + shift,
        }
        entry |= {"item": one.item} if one.item else {}
        told.append(entry | ({"dwell_ms": one.dwell_ms} if one.dwell_ms else {}))
    return told


def _quotes(session: Session, shift: int) -> list[dict[str, Any]]:
    return [
        {
            "quote_id": f"{session.sid}:q{number}",
            "item": one.item,
            "price_micros": one.price_micros,
            "ts_ms": one.ts_ms + shift,
        }
        for number, one in enumerate(session.quotes)
    ]


def _parts(entries: Sequence[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    return [list(entries[at : at + size]) for at in range(0, len(entries), size)]
