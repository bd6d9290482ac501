# SPDX-License-Identifier: Apache-2.0
"""What was answered lately, until the caller says what of it is shown: only that is counted.

An answer may come too late, and a chosen ad may get no row afterwards; neither was seen by anyone.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from bls.jsonlog import Fields
from bls.select.answer import SelectAnswer, SelectRequest
from bls.select.caps import FrequencyCaps
from bls.select.lines import lines
from bls.select.stats import SelectStats

ANSWERS = 4_096
KEEP_S = 60.0


class _Kept(NamedTuple):
    """Attributes:
    answer: None once it was confirmed.
    """

    until: float
    request: SelectRequest
    answer: SelectAnswer | None


class Answers:
    """Usable from several threads.

    Args:
        write: where the lines of confirmed creatives go, `JsonLog.write_many`.
        size: answers remembered; the oldest goes first.
        keep_s: seconds in which an answer may be confirmed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        caps: FrequencyCaps,
        write: Callable[[list[tuple[str, Fields]]], None],
        stats: SelectStats,
        *,
        size: int = ANSWERS,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._caps, self._write, self._stats = caps, write, stats
        self._size, self._keep_s, self._clock = size, keep_s, clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, request: SelectRequest, answer: SelectAnswer) -> None:
        """It may be confirmed from now on; not again where one of this request already was."""
        key = (request.conv_id, request.request_id)
        with self._lock:
            now = self._forget()
            before = self._kept.pop(key, None)
            settled = before is not None and before.answer is None
            self._kept[key] = _Kept(now + self._keep_s, request, None if settled else answer)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def confirm(self, request: SelectRequest) -> None:
        """Count and tell those of `request.shown` that its answer has, once; ranks as answered."""
        key = (request.conv_id, request.request_id)
        with self._lock:
            self._forget()
            kept = self._kept.get(key)
            if kept is not None:
                self._kept[key] = kept._replace(answer=None)
        if kept is None:
            self._stats.unconfirmed += 1
            return
        wanted = frozenset(request.shown or ())
        if kept.answer is None or not wanted:
            return
        chosen = tuple(one for one in kept.answer.chosen if one.msg_id in wanted)
        if not chosen:
            return
        campaigns = [one.campaign_id for one in chosen]
        self._caps.add(request.conv_id, request.request_id, campaigns)
        self._stats.shown += len(chosen)
        shown = kept.answer.model_copy(update={"chosen": chosen})
        self._write(lines(kept.request, shown, round(time.time(), 6)))

    def _forget(self) -> float:
        """Drop what is too old; the time now."""
        now = self._clock()
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._kept.popitem(last=False)
        return now
