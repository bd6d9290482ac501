# SPDX-License-Identifier: Apache-2.0
"""Where a remote bidder is and what it may do: the `remote` object of a campaign.

Only the campaign file names endpoints, so no request can make the exchange dial anything.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from bls.limits import LIMITS
from bls.request import Strict

_TARGET = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>[0-9]{1,5})")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


class RemoteTLS(Strict):
    """PEM files: `ca` checks the bidder; `certificate` and `key`, both or none, are ours."""

    ca: str
    certificate: str | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _pair(self) -> RemoteTLS:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("give both certificate and key, or neither")
        return self


class RemoteEndpoint(Strict):
    """One remote bidder.

    Attributes:
        target: `host:port` that is dialled; without `tls` only a loopback host.
        vocabulary: hex SHA-256 it must share with our model (`skynet vocabulary`).
        deadline_ms: the longest a token waits for it, from the token's announcement.
        top_k: most ids it may send per token; 0 asks for full logits.
    """

    target: str
    vocabulary: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    deadline_ms: Annotated[int, Field(ge=1, le=LIMITS.remote_deadline_ms)] = 12
    top_k: Annotated[int, Field(ge=0, le=LIMITS.remote_top_k)] = 64
    tls: RemoteTLS | None = None

    @field_validator("target")
    @classmethod
    def _names_a_port(cls, target: str) -> str:
        found = _TARGET.fullmatch(target)
        if found is None or not 0 < int(found["port"]) < 65_536:
            raise ValueError("target must be host:port")
        return target

    @model_validator(mode="after")
    def _encrypted_or_local(self) -> RemoteEndpoint:
        if self.tls is None and self.target.rpartition(":")[0] not in _LOOPBACK:
            raise ValueError("a target that is not on loopback needs tls")
        return self
