# SPDX-License-Identifier: Apache-2.0
"""A hash chain over the lines of a stream: what was written cannot be changed unnoticed.

Every line ends with `"chain": H(chain of the line before + H(this line without its chain))`. A line
that is edited, removed, put in or moved breaks the chain at its place. Who can rewrite the whole
rest of a file can rewrite the chain too: publish the last value now and then.

Because the chain is over the hash of a line, a line can be erased and leave its hash in its place
(`bls.settlement.erased`): its content is gone and everything else is still proven. Lines of before
this rule, `H(chain + line)`, are still read.
"""

from __future__ import annotations

import hashlib

GENESIS = "0" * 32
_OPEN, _CLOSE = b',"chain":"', b'"}'
_SUFFIX = len(_OPEN) + len(GENESIS) + len(_CLOSE)


def digest(body: bytes) -> str:
    """The hash of a line without its chain: 128 bits of SHA-256."""
    return hashlib.sha256(body).hexdigest()[: len(GENESIS)]


def extend(chain: str, hashed: str) -> str:
    """The chain value of a line with this `digest`, after `chain`."""
    return hashlib.sha256(chain.encode() + hashed.encode()).hexdigest()[: len(GENESIS)]


def link(chain: str, body: bytes) -> str:
    """The chain value of `body`, a JSON object, after `chain`."""
    return extend(chain, digest(body))


def follows(chain: str, body: bytes, stated: str) -> bool:
    """Whether `stated` is the chain value of `body` after `chain`, by today's or the former rule.

    What the two rules hash can never be the same bytes: a body is an object, a digest is not.
    """
    return link(chain, body) == stated or plain_link(chain, body) == stated


def plain_link(chain: str, body: bytes) -> str:
    """The former rule. A line under it cannot be erased, only removed with its whole file."""
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
