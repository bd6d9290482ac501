# SPDX-License-Identifier: Apache-2.0
"""The few lines of a child's log that say what went wrong.

A server that fails to start ends its log with tables of settings; the reason stands far above.
"""

from __future__ import annotations

import re

_ERROR = re.compile(r"^[EF]\d{4} |\berror:|failed to load", re.IGNORECASE)
_TABLE = re.compile(r"^\s*[|+]")
_STAMP = re.compile(r"^[A-Z]\d{4} \S+ \d+ \S+\] *")
_HARMLESS = ("CudaDriverHelper", "unable to create stream for")
"""What a Triton without a GPU always says, as errors."""

_WIDTH = 600


def digest(text: str, lines: int = 20) -> str:
    """Error lines first, each once and without its time stamp, then the last `lines` lines.

    Tables are left out, and so is from the end what already stands above.
    """
    told = [line for line in text.splitlines() if line.strip() and not _TABLE.match(line)]
    errors = list(dict.fromkeys(_plain(line) for line in told if _is_error(line)))
    end = [line for line in map(_plain, told[-lines:]) if line and line not in errors]
    return "\n".join(errors[-lines:] + end)


def _is_error(line: str) -> bool:
    return bool(_ERROR.search(line)) and not any(word in line for word in _HARMLESS)


def _plain(line: str) -> str:
    return _STAMP.sub("", line)[:_WIDTH]
