# SPDX-License-Identifier: Apache-2.0
"""f(tau) of the shop session a reply belongs to, as it stands now.

The gateway replaces it from another thread while the reply is written; one number, so no lock.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class LiveScore:
    """Of one reply. `value` is in [0, 1]; None: no session, or nobody could score it."""

    value: float | None = None

    def __call__(self) -> float | None:
        return self.value
