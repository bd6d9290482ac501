# SPDX-License-Identifier: Apache-2.0
"""Hier-Sum: a chat's head becomes at most 8 summaries of at most 32 tokens.

Seed: content_generation 2.3.1. The caller keeps the tail of 256 tokens and is never failed: what
cannot be summarised in time is left out, and the count of windows is told all the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from bls.condense.bound import Bound
from bls.condense.bridge import Bridge
from bls.condense.cache import Key, Summary, SummaryCache, key_of, owner_of
from bls.condense.condensed import Condensed
from bls.condense.masking import mask
from bls.condense.stats import CondenseStats
from bls.condense.windows import Policy, Window, cut
from bls.errors import SkynetError
from bls.keys.live import Log
from bls.limits import LIMITS, Limits
from bls.policy.filter import PolicyFilter

LOG, MASKED = "condense.log", "toxicity.mask.log"
Summarise = Callable[[list[list[int]]], list[list[int]]]
"""Windows of the summariser's ids, at most 64 each, to their summaries. Raises `SkynetError`."""


class Condenser:
    """Usable from several threads.

    Args:
        summarise: the model.
        choice: which windows are summarised.
        made_by: names the summariser's version and the policy rules (`made_by`), for the cache.
    """

    def __init__(
        self,
        summarise: Summarise,
        bridge: Bridge,
        *,
        choice: Policy,
        policy: PolicyFilter,
        cache: SummaryCache,
        log: Log,
        made_by: str,
        limits: Limits = LIMITS,
    ) -> None:
        self.stats = CondenseStats()
        self._summarise, self._bridge, self._policy = summarise, bridge, policy
        self._choice, self._cache, self._log, self._limits = choice, cache, log, limits
        self._made_by = f"{made_by}:{bridge.made_for}"
        self._bound = Bound(log, self.stats)

    def condense(self, ids: Sequence[int], salt: int) -> Condensed:
        """Summaries of a chat without its tail, in the order of the chat.

        Args:
            ids: of the served LLM's tokenizer, oldest first.
            salt: isolates the cache, as it isolates prefix reuse.
        """
        windows = cut(ids)
        if not windows:
            return Condensed((), 0)
        began = time.perf_counter()
        kept = [windows[at] for at in self._choice(windows, self._limits.summaries)]
        keys = [key_of(salt, window, self._made_by) for window in kept]
        found = dict(zip(keys, self._cache.get(keys), strict=True))
        asked = {key: one for key, one in zip(keys, kept, strict=True) if found[key] is None}
        made = self._make(asked, owner_of(salt)) if asked else {}
        self._cache.put(made)
        summaries = [one for key in keys if (one := made.get(key, found[key]))]
        self._tell(len(windows), len(made), summaries, owner_of(salt), began)
        return Condensed(tuple(summaries), len(windows))

    def _make(self, windows: dict[Key, Window], convo_id: str) -> dict[Key, Summary]:
        """Summaries by key; nothing where the summariser cannot be had."""
        try:
            rows = [self._bridge.to_summariser(window) for window in windows.values()]
            said = self._summarise(rows)
        except SkynetError:
            self.stats.failures += 1
            return {}
        self.stats.summarised += len(rows)
        pairs = zip(windows, said, strict=True)
        return {key: self._finish(self._bridge.to_llm(one), convo_id) for key, one in pairs}

    def _finish(self, summary: list[int], convo_id: str) -> Summary:
        """Bounded, and without slurs."""
        short = self._bound(summary, convo_id)
        text, reasons = mask(self._policy, self._bridge.text(short))
        if not reasons:
            return short
        self.stats.masked += 1
        self._note(reasons, convo_id)
        return self._bound(self._bridge.ids(text), convo_id)

    def _note(self, reasons: Counter[str], convo_id: str) -> None:
        self._log.write(MASKED, convo_id=convo_id, reasons=dict(reasons))

    def _tell(
        self, windows: int, made: int, summaries: list[Summary], convo_id: str, began: float
    ) -> None:
        seconds = time.perf_counter() - began
        self.stats.requests += 1
        self.stats.windows += windows
        self.stats.seconds += seconds
        self._log.write(
            LOG,
            convo_id=convo_id,
            windows_created=windows,
            tail_len=self._limits.tail_tokens,
            summaries=len(summaries),
            made=made,
            tokens=sum(map(len, summaries)),
            ms=round(1e3 * seconds, 3),
        )
