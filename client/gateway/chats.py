# SPDX-License-Identifier: Apache-2.0
"""Which shop session a chat belongs to, and what is thought of that session now.

A chat may name its session once; replies and clicks that come later and name none go on counting
with it, so the gateway remembers. A chat is known by its `conv_id`, which is the client's own word:
one that was silent for as long as a session may be idle gives its session to no new reply.
What is remembered is bounded and in memory: after a restart a click may name its session itself.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bls.limits import LIMITS
from bls.phantom.bridge import DIALS, ScoreSource, known


@dataclass
class Chat:
    """What is remembered of a conversation.

    Attributes:
        score: the last one of its session that was known.
        before: the worst of the sessions it was of earlier: a new one does not wash it clean.
        at: when it was heard of last, in seconds of `Chats`' clock.
    """

    session_id: str
    score: float | None = None
    before: float | None = None
    invalid_at: float = DIALS.invalid_at
    at: float = 0.0


class Chats:
    """One per gateway; only its event loop uses it.

    Args:
        clock: seconds that never go back.
    """

    def __init__(
        self,
        scores: ScoreSource,
        most: int = LIMITS.sessions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scores, self._most, self._clock = scores, most, clock
        self._chats: OrderedDict[str, Chat] = OrderedDict()

    def remember(self, conv_id: str, session_id: str, invalid_at: float | None = None) -> None:
        """The chat is of this session; `invalid_at` is the dial of its newest reply."""
        chat = self._chats.pop(conv_id, None)
        if chat is None:
            chat = Chat(session_id)
        elif chat.session_id != session_id:
            worst = _worst(self._look(chat), chat.before)
            chat = Chat(session_id, before=worst, invalid_at=chat.invalid_at)
        chat.invalid_at = chat.invalid_at if invalid_at is None else invalid_at
        chat.at = self._clock()
        self._chats[conv_id] = chat
        self._look(chat)
        if len(self._chats) > self._most:
            self._chats.popitem(last=False)

    def session(self, conv_id: str, named: str | None) -> str | None:
        """The session a reply of the chat counts with: the one that is `named`, else the last one
        the chat named. A client that leaves it out is still who it was, unless the chat was not
        heard of for `session_idle_s`: it may be another's by then."""
        chat = self._chats.get(conv_id)
        if named is not None or chat is None:
            return named
        return None if chat.at < self._clock() - LIMITS.session_idle_s else chat.session_id

    def score(self, conv_id: str, session_id: str | None) -> float | None:
        """f(tau) that a reply or a click of the chat goes by; None when nobody knows any.

        Args:
            session_id: what is named. It never lowers the score: of it, the chat's own session
                (its last score, once it is over) and those the chat was of earlier, the one that
                looks most like a program counts.
        """
        chat = self._chats.get(conv_id)
        named = None if session_id is None else self._known(session_id)
        if chat is None:
            return named
        return _worst(named, self._look(chat), chat.before)

    def judge(self, conv_id: str, session_id: str | None) -> tuple[float | None, bool]:
        """f(tau) behind a click, as `score` has it, and whether that makes it invalid."""
        score, chat = self.score(conv_id, session_id), self._chats.get(conv_id)
        invalid_at = DIALS.invalid_at if chat is None else chat.invalid_at
        return score, score is not None and score >= invalid_at

    def _known(self, session_id: str) -> float | None:
        """f(tau) of a session; None when nobody knows it, or says what is no probability."""
        return known(self._scores.score(session_id))

    def _look(self, chat: Chat) -> float | None:
        """The newest score of the chat's session; the last one once the session is over."""
        score = self._known(chat.session_id)
        chat.score = chat.score if score is None else score
        return chat.score


def _worst(*scores: float | None) -> float | None:
    """The largest of those that are known."""
    return max((score for score in scores if score is not None), default=None)
