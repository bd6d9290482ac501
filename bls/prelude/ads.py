# SPDX-License-Identifier: Apache-2.0
"""The guard's rulings on ad texts, remembered by the hash of the text: one ask per version.

An ad that nobody has judged is not shown, and asked about again.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from bls.guard.ruling import UNJUDGED, Ruling
from bls.limits import LIMITS

Judge = Callable[[Sequence[str]], list[Ruling]]

_KEPT = 65_536


class AdRulings:
    """Usable from several threads."""

    def __init__(self, size: int = _KEPT) -> None:
        self._size = size
        self._known: OrderedDict[bytes, Ruling] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, texts: Sequence[str], judge: Judge) -> list[Ruling]:
        """A ruling a text; `judge` is asked for those it has not seen. Raises what `judge` does."""
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        with self._lock:
            known = {key: self._known[key] for key in keys if key in self._known}
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        asked = list(unknown.items())
        for at in range(0, len(asked), LIMITS.guard_texts):
            batch = asked[at : at + LIMITS.guard_texts]
            made = judge([text for _, text in batch])
            known |= dict(zip((key for key, _ in batch), made, strict=True))
        self._keep(known)
        return [known[key] for key in keys]

    def _keep(self, known: dict[bytes, Ruling]) -> None:
        with self._lock:
            for key, ruling in known.items():
                if ruling.reason == UNJUDGED:
                    continue
                self._known[key] = ruling
                self._known.move_to_end(key)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
