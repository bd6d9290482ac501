# SPDX-License-Identifier: Apache-2.0
"""The ways an explanation is refused or lost."""

from __future__ import annotations

from bls.errors import SkynetError


def busy() -> SkynetError:
    """The queue is full; trying later can work."""
    return SkynetError("explain_busy", "Too many explanations are waiting; try again shortly.", 429)


def unavailable(why: str) -> SkynetError:
    """This installation does not explain."""
    return SkynetError("explain_unavailable", f"Explanations are not available: {why}.", 501)


def lost() -> SkynetError:
    """The worker died; a new one answers the next request."""
    return SkynetError("explain_lost", "The explanation was lost; try again.", 503)


def late() -> SkynetError:
    """The worker took too long; a new one answers the next request."""
    return SkynetError("explain_timeout", "The explanation took too long.", 504)
