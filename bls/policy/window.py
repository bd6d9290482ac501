# SPDX-License-Identifier: Apache-2.0
"""The end of the reader's text, and what it would be with one more token."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

WINDOW_CHARACTERS = 320
"""About 64 tokens of English."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The window with a candidate token.

    Attributes:
        since: where the candidate's text begins.
        stopped: the text was cut at a stop string, so it ends here.
    """

    token: int
    text: str
    since: int
    stopped: bool
    stream: DecodeStream

    @property
    def adds_text(self) -> bool:
        return self.stopped or len(self.text) > self.since


class Window:
    """Decodes as the reader's text is decoded; a token costs its own decoding and no more.

    What a stop string cuts off, and what is dropped, the reader never gets: it is not in here.
    """

    def __init__(
        self, tokenizer: Tokenizer, stop: Sequence[str] = (), size: int = WINDOW_CHARACTERS
    ) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(stop)
        self._overlap = max(map(len, self._stop), default=1) - 1
        self._size = size
        self._stream = DecodeStream(skip_special_tokens=True)
        self.text = ""

    def draft(self, token: int) -> Draft:
        """What the window becomes with `token`; changes nothing."""
        stream = copy.copy(self._stream)
        text = self.text + (stream.step(self._tokenizer, token) or "")
        since = len(self.text)
        begin = max(0, since - self._overlap)
        stops = [at for stop in self._stop if (at := text.find(stop, begin)) >= 0]
        if stops:
            text = text[: min(stops)]
        return Draft(token, text, min(since, len(text)), bool(stops), stream)

    def accept(self, draft: Draft) -> None:
        """Take a draft made from this window as it is now."""
        self._stream = draft.stream
        self.text = draft.text[-self._size :]

    def drop(self, characters: int) -> None:
        """Forget the last characters: the reader will not get them."""
        self.text = self.text[: len(self.text) - characters]
