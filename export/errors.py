# SPDX-License-Identifier: Apache-2.0
"""The one typed error of `export/`: a stable code for programs and a sentence for people."""

from __future__ import annotations


class ExportError(Exception):
    """Raised when a model cannot be exported, found or trusted.

    `code` is stable and lower_snake_case (`source_missing`, `manifest_tampered`, ...);
    `message` says what to do about it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
