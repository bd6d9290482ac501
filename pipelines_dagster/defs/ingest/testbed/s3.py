# SPDX-License-Identifier: Apache-2.0
"""An S3 server in memory behind a gate that can be shut, or lose the answer to one request."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from bls.errors import SkynetError
from client.launcher.ports import free_port

BUCKET = "skynet"
KEYS = {
    "AWS_ACCESS_KEY_ID": "testbed",
    "AWS_SECRET_ACCESS_KEY": "testbed",
    "AWS_REGION": "us-east-1",
}
"""What a process needs in its environment to use the store."""

PASS, REFUSE, SWALLOW = "pass", "refuse", "swallow"
"""Forward; hang up; forward and hang up before the answer."""

Rule = Callable[[str, str], str]
"""Method and path of a request to what becomes of it."""

_READY_S = 30.0
_HOP = {"connection", "transfer-encoding", "content-length"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what the gate is for."""


class Store:
    """`endpoint` is the gate's. `rule` may be changed at any time."""

    def __init__(self) -> None:
        self.rule: Rule = lambda method, path: PASS
        self._port = free_port()
        self._server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._make_bucket()
        self._gate = _Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._gate.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._gate.server_port}"
        self.root = f"s3://{BUCKET}/lake"
        self.options = {
            "endpoint_url": self.endpoint,
            "allow_http": "true",
            "aws_conditional_put": "etag",
        }

    def shut(self) -> None:
        """From now on nobody gets in."""
        self.rule = lambda method, path: REFUSE

    def open(self) -> None:
        self.rule = lambda method, path: PASS

    def close(self) -> None:
        self._gate.shutdown()
        self._gate.server_close()
        self._server.kill()
        self._server.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_bucket(self) -> None:
        until = time.monotonic() + _READY_S
        while True:
            try:
                self.forward("PUT", f"/{BUCKET}", {}, b"")
                return
            except OSError:
                if time.monotonic() > until or self._server.poll() is not None:
                    raise SkynetError("store_missing", "No S3 server started.", 500) from None
                time.sleep(0.1)

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server itself: status, headers, body."""
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            link.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        store = self

        class Gate(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                verdict = store.rule(self.command, self.path)
                if verdict != REFUSE:
                    answer = store.forward(self.command, self.path, dict(self.headers), body)
                if verdict != PASS:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self._reply(*answer)

            def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response_only(status)
                length = len(body)
                for name, value in headers:
                    if name.lower() == "content-length" and self.command == "HEAD":
                        length = int(value)
                    if name.lower() not in _HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        return Gate
