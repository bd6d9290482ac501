# SPDX-License-Identifier: Apache-2.0
"""Our own served model as a shopper's mind, through the gateway's chat endpoint."""

from __future__ import annotations

import httpx

from bls.errors import SkynetError
from bls.limits import LIMITS
from client.replies import ReplyError
from client.thin import post_json

_TOKENS = 6
"""Enough for a number and what small models put before it."""


class GatewayChooser:
    """Answers prompts, greedily, with the weight of advertisers at its least.

    It asks for a whole reply, without the heartbeats of a stream, so it waits for as long as the
    gateway lets a reply take: a busy machine makes a visit slow, not faulty.

    Raises:
        SkynetError: `model_away`, or what the gateway refuses with.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, prompt: str) -> str:
        body = {
            "model": "skynet",
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": _TOKENS,
            "temperature": 0,
            "skynet": {"w_ref": LIMITS.weight_ref_max},
        }
        try:
            reply = post_json(self._url, "/v1/chat/completions", body, patient=True)
        except ReplyError as fault:
            raise SkynetError(fault.code, str(fault), 502) from None
        except httpx.HTTPError:
            raise SkynetError("model_away", "The gateway does not answer.", 502) from None
        return str(reply["choices"][0]["message"]["content"])
