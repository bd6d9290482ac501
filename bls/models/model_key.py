# SPDX-License-Identifier: Apache-2.0
"""Which version of a model is live, as the key store says it: `/pred/model`, `/tve/model`,
`/agent/model`, `/price/model`.

    {"version": "pred_2026_11_22_01", "uri": "file:///.../pred/pred_2026_11_22_01",
     "sha256": of the version's manifest.json, "share": 1.0}

Beside it `/pred/canary` and so on name a challenger in the same way, with the `share` of
conversations (of shop sessions for the last two) that it serves. A canary without a key, or with
share 0, serves nobody.
Source: offline_orchestration 2.2.2; the manifest's hash covers every file of the version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bls.errors import SkynetError, invalid

PREDICTOR, TVE = "pred", "tve"
AGENT, PRICE = "agent", "price"
SUBSYSTEMS = (PREDICTOR, TVE, AGENT, PRICE)
VERSION = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_URI = re.compile(r"(file:///|s3://)[^\s]{1,500}")


def model_key(subsystem: str) -> str:
    return f"/{subsystem}/model"


def canary_key(subsystem: str) -> str:
    return f"/{subsystem}/canary"


@dataclass(frozen=True)
class ModelKey:
    """A value of a model key. `share`: of conversations; 1 for the champion."""

    version: str
    uri: str
    sha256: str
    share: float = 1.0

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> ModelKey:
        """Raises `bad_model_key`."""
        match value:
            case {"version": str(version), "uri": str(uri), "sha256": str(sha256), **rest}:
                share = rest.pop("share", 1.0)
            case _:
                raise _bad("it has version, uri and sha256")
        if rest:
            raise _bad(f"unknown: {', '.join(sorted(rest))}")
        if not VERSION.fullmatch(version) or not _URI.fullmatch(uri):
            raise _bad("version or uri has another form")
        if not _SHA256.fullmatch(sha256):
            raise _bad("sha256 is 64 hex digits")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise _bad("share is between 0 and 1")
        return cls(version, uri, sha256, float(share))

    def value(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "uri": self.uri,
            "sha256": self.sha256,
            "share": self.share,
        }


def _bad(why: str) -> SkynetError:
    return invalid("bad_model_key", f"Not the key of a model: {why}.")
