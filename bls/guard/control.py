# SPDX-License-Identifier: Apache-2.0
"""Control tokens and role marks in an ad: they have no place in a text for readers (CG-C-05)."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(
    r"<\|[^|<>\n]{1,40}\|>"  # <|im_end|>
    r"|\[/?(?:SYS|SYSTEM|INST|SUM|TAIL|AD_PROMPT|USER|ASSISTANT)\]|<</?SYS>>"
    r"|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>|</?(?:system|assistant|instructions?)>"
    r"|__[a-z][a-z_]{2,30}__"  # __unsafe__
    r"|(?:^|\n)[ \t]{0,8}(?:system|assistant|user|human|developer)[ \t]{0,4}:"
    r"|#{2,6}[ \t]{0,4}(?:system|instructions?|response|assistant|human|new task)\b"
    r"|\{\{[^{}\n]{1,60}\}\}|\{%[^{}\n]{1,60}%\}",  # templates
    re.IGNORECASE,
)


def has_control(text: str) -> bool:
    """Whether a text, as a reader or a model may see it, holds such a mark."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", text) if _visible(c))
    return _CONTROL.search(seen) is not None


def _visible(character: str) -> bool:
    return unicodedata.category(character) != "Cf"
