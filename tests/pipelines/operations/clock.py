# SPDX-License-Identifier: Apache-2.0
"""Dagster's own clock, set and moved by a test: what its runs are stamped with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from dagster._core.test_utils import get_freezable_log_manager


class Clock:
    """`now` is what Dagster thinks it is."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def advance(self, by: timedelta) -> None:
        self.now += by

    @contextmanager
    def rules(self) -> Iterator[None]:
        """Dagster takes its time from here while the block runs."""
        times = "dagster._time._mockable_get_current_"
        with ExitStack() as stack:
            stack.enter_context(patch(times + "datetime", side_effect=lambda: self.now))
            stack.enter_context(
                patch(
                    times + "timestamp",
                    side_effect=lambda: self.now.astimezone(UTC).timestamp(),
                )
            )
            stack.enter_context(
                patch("dagster._core.log_manager.DagsterLogManager", get_freezable_log_manager())
            )
            yield
