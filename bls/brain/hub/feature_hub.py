# SPDX-License-Identifier: Apache-2.0
"""The interface of the hub, and the error of a conversation it does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from bls.brain.features import F32
from bls.errors import SkynetError


class FeatureHub(Protocol):
    """Windows of live conversations, dropped `hub_ttl_s` (60 s) after the last touch.

    Every method may be called from any thread and none waits for the network, but for `features`
    of a conversation that this process has never seen. Weights are W_-i itself, not its logarithm.
    """

    def open(self, conv_id: str, ctx_vec: NDArray[Any], openings: Mapping[str, float]) -> None:
        """Start a reply's window, in place of an older one.

        Args:
            ctx_vec: f32 [128], unit norm; kept as it is.
            openings: advertiser -> W_-i of the bids the advertisers came with.
        """

    def push(self, conv_id: str, token_idx: int, w_minus: Mapping[str, float]) -> None:
        """The auction's W_-i of token `token_idx`; a token that is in already changes nothing.

        Raises `unknown_conversation_window`.
        """

    def features(self, conv_id: str, advertisers: Sequence[str]) -> F32:
        """Features f32 [n, 150] of the next token, in the order of `advertisers`.

        Raises `unknown_conversation_window`, also for an advertiser without a row.
        """

    def context(self, conv_id: str) -> F32:
        """The conversation's `ctx_vec`, the array that was given. Raises as `features`."""

    def close(self, conv_id: str) -> None:
        """Forget a conversation; one that is not there is no error."""

    def stop(self) -> None:
        """Release threads and connections."""


def unknown_window() -> SkynetError:
    """Source: competitor_bid 6.1 (missing conversation: 404)."""
    return SkynetError(
        "unknown_conversation_window", "No feature window of this conversation and advertiser.", 404
    )
