# SPDX-License-Identifier: Apache-2.0
"""From token ids to text that may be shown: whole characters, nothing past a stop string."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class TextStream:
    """Feed token ids, get text. A character split over tokens comes with its last token."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._stop = tuple(stop)
        self._held = ""
        self.stopped = False

    def push(self, token: int, hold: int = 0) -> str:
        """Text this token makes safe to show; sets `stopped` when a stop string is complete.

        Of the text at its end, at least `hold` characters stay back.
        """
        self._held += self._stream.step(self._tokenizer, token) or ""
        return self._release(hold)

    def drop(self, characters: int) -> None:
        """Forget that many characters at the end of what is held back."""
        self._held = self._held[: len(self._held) - characters]

    def flush(self) -> str:
        """What was held back and may be shown after all."""
        text, self._held = self._held, ""
        return "" if self.stopped else text

    def _release(self, hold: int) -> str:
        found = [at for s in self._stop if (at := self._held.find(s)) >= 0]
        if found:
            self.stopped = True
            text, self._held = self._held[: min(found)], ""
            return text
        keep = max((_overlap(self._held, s) for s in self._stop), default=0)
        keep = max(keep, hold)
        cut = len(self._held) - keep
        text, self._held = self._held[:cut], self._held[cut:]
        return text


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
