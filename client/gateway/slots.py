# SPDX-License-Identifier: Apache-2.0
"""A bound on live replies: past it a caller is refused at once, nothing queues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bls.errors import capacity


class Slots:
    """Counts live replies. One event loop only, so plain integers do."""

    def __init__(self, limit: int):
        self.limit = limit
        self.live = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot. Raises `SkynetError` (`capacity`, 429) when none is free."""
        if self.live >= self.limit:
            raise capacity("replies")
        self.live += 1
        try:
            yield
        finally:
            self.live -= 1
