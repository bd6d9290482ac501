# SPDX-License-Identifier: Apache-2.0
"""A uvicorn server for which a stop that was asked for is a clean exit, not a death by signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


class CleanExitServer(uvicorn.Server):
    """uvicorn raises the signal it was stopped by once more; this one does not."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM while serving, on the main thread; then put back what was."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
