# SPDX-License-Identifier: Apache-2.0
"""A hash chain over the lines of a stream: what was written cannot be changed unnoticed.

Every line ends with `"chain": H(chain of the line before + this line without its chain)`. A line
that is edited, removed, put in or moved breaks the chain at its place. Who can rewrite the whole
rest of a file can rewrite the chain too: publish the last value now and then.
"""

from __future__ import annotations

import hashlib

GENESIS = "0" * 32
_OPEN, _CLOSE = b',"chain":"', b'"}'
_SUFFIX = len(_OPEN) + len(GENESIS) + len(_CLOSE)


def link(chain: str, body: bytes) -> str:
    """The chain value of `body`, a JSON object, after `chain`: 128 bits of SHA-256."""
    return hashlib.sha256(chain.encode() + body).hexdigest()[: len(GENESIS)]


def seal(body: bytes, chain: str) -> bytes:
    """The line as it is written, with its newline."""
    return body[:-1] + _OPEN + chain.encode() + _CLOSE + b"\n"


def split(line: bytes) -> tuple[bytes, str] | None:
    """(body, chain) of a line without its newline; None for anything but a sealed line."""
    at = len(line) - _SUFFIX
    if at < 1 or not line.startswith(_OPEN, at) or not line.endswith(_CLOSE):
        return None
    chain = line[at + len(_OPEN) : -len(_CLOSE)]
    if chain.strip(b"0123456789abcdef"):
        return None
    return line[:at] + b"}", chain.decode()
