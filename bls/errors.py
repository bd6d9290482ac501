# SPDX-License-Identifier: Apache-2.0
"""The one error type that crosses a boundary: a code, an HTTP status, a short message.

A message never carries paths, prompts, tensor values or names of internals. Inside Triton an
error travels as one line `skynet:{json}`; `from_wire` turns it back, and any other text into
`internal`, so what a server says of itself never reaches a client.
"""

from __future__ import annotations

import json
from typing import Final

_WIRE_PREFIX: Final = "skynet:"


class SkynetError(Exception):
    """A refusal or failure with a stable `code`.

    Args:
        code: stable snake_case word a program can match on.
        message: one short sentence for a person.
        status: the HTTP status the gateway answers with.
        param: name of the request field at fault, if one is.
    """

    def __init__(self, code: str, message: str, status: int = 400, param: str | None = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.param = param

    def to_wire(self) -> str:
        """One line that survives a Triton error message."""
        fields = [self.code, self.message, self.status, self.param]
        return _WIRE_PREFIX + json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_wire(cls, text: str) -> SkynetError:
        """The error in `text`, or `internal` when the text is not one of ours."""
        start = text.find(_WIRE_PREFIX)
        if start >= 0:
            try:
                raw = text[start + len(_WIRE_PREFIX) :]
                code, message, status, param = json.JSONDecoder().raw_decode(raw)[0]
                return cls(str(code), str(message), int(status), param)
            except (ValueError, TypeError):
                pass
        return internal()


def internal() -> SkynetError:
    """What a client is told of a fault that is ours."""
    return SkynetError("internal", "The server failed to answer this request.", 500)


def capacity(what: str) -> SkynetError:
    """A bounded resource is full; trying later can work."""
    return SkynetError("capacity", f"Too many live {what}; try again shortly.", 429)


def invalid(code: str, message: str, param: str | None = None) -> SkynetError:
    """A request that can never work as sent."""
    return SkynetError(code, message, 400, param)
