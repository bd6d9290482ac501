# SPDX-License-Identifier: Apache-2.0
"""What an erasure tells whoever holds creatives outside the lake."""

from __future__ import annotations

from typing import Protocol

from bls.select.index.erased import ErasedCreatives, erased_creatives

__all__ = ["PLACE", "ErasedCreatives", "IndexHook", "erased_creatives"]

PLACE = "creatives"


class IndexHook(Protocol):
    """What holds creatives outside the lake."""

    def delete(self, msg_id: str) -> bool:
        """Never give this creative again; False when that was so already."""
