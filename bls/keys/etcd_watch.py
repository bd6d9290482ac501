# SPDX-License-Identifier: Apache-2.0
"""A thread that waits for changes of one etcd key, through every loss of the connection.

Whatever comes over the watch's stream, also its opening, means: look at the key now. A stream that
is silent for a while is opened again, so a connection that died unseen costs seconds, not a change.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import httpx

from bls.keys.etcd_line import EtcdLine, b64
from bls.limits import LIMITS

SILENCE_S = 4.0
_JOIN_S = 5.0
_CANCELED = b'"canceled":true'


class EtcdWatch:
    """Runs from its construction to `stop`.

    Args:
        key: in etcd.
        changed: see `KeyStore.watch`.
    """

    def __init__(self, line: EtcdLine, key: str, changed: Callable[[], bool]) -> None:
        self._line, self._changed = line, changed
        self._asked = {"create_request": {"key": b64(key)}}
        self._done = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="etcd-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """`changed` is not called any more."""
        self._done.set()
        if (open_one := self._socket) is not None:
            with contextlib.suppress(OSError):
                open_one.shutdown(socket.SHUT_RDWR)  # wakes the thread
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                self._follow()
            except httpx.ReadTimeout:
                continue
            except (httpx.HTTPError, httpx.StreamError, OSError, RuntimeError):
                self._look()  # told once that the store cannot be read
            self._done.wait(LIMITS.key_poll_s)

    def _follow(self) -> None:
        """One stream, until it ends."""
        with self._line.stream("watch", self._asked, SILENCE_S) as got:
            stream = got.extensions.get("network_stream")
            self._socket = stream.get_extra_info("socket") if stream is not None else None
            for chunk in got.iter_bytes():
                if _CANCELED in chunk:
                    self._line.forget_token()
                    return
                while not self._look() and not self._done.wait(LIMITS.key_poll_s):
                    pass

    def _look(self) -> bool:
        """True when there is nothing more to do."""
        return self._done.is_set() or self._changed()
