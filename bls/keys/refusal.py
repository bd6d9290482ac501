# SPDX-License-Identifier: Apache-2.0
"""Why a value of the key store was not taken."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """A reason: its name in logs and metrics, and whether somebody may have tampered."""

    UNREADABLE = ("unreadable", False)
    NOT_A_FILE = ("not_a_file", True)  # a link, a folder, a pipe
    TOO_LARGE = ("too_large", True)
    MALFORMED = ("malformed", True)  # not JSON, torn, NaN, an unknown or missing field
    OTHER_KEY = ("other_key", True)  # an entry of another key was put here
    CHECKSUM = ("checksum", True)
    UNSIGNED = ("unsigned", True)
    UNTRUSTED = ("untrusted_key", True)
    SIGNATURE = ("bad_signature", True)
    REPLAYED = ("replayed", True)  # an old version, or another value under the one that is live
    INVALID = ("invalid_value", False)  # signed, but the value fails its own checks
    GONE = ("gone", False)  # removed; what is live stays live

    def __init__(self, title: str, alarming: bool) -> None:
        self.title = title
        self.alarming = alarming


class RefusedError(Exception):
    """A value that is not taken.

    Attributes:
        content: SHA-256 of what was read: one content is reported once.
        version: what it says of itself, 0 when it says nothing.
    """

    def __init__(self, reason: Reason, content: str = "", version: int = 0, why: str = "") -> None:
        super().__init__(reason.title + (f": {why}" if why else ""))
        self.reason = reason
        self.content = content
        self.version = version
        self.why = why
