# SPDX-License-Identifier: Apache-2.0
"""A chat endpoint on loopback that answers as it is told to."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """`text` as a chat completion, or `body` as it stands."""

    text: str = ""
    status: int = 200
    body: bytes | None = None
    after: str = ""
    slow_s: float = 0.0

    def bytes(self) -> bytes:
        said = {"choices": [{"message": {"role": "assistant", "content": self.text}}]}
        return json.dumps(said).encode() if self.body is None else self.body


@dataclass
class Endless:
    """Gives `answers` in turn, then the last one for ever; keeps what it is asked."""

    answers: list[Answer]
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        said, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    said.bodies.append(body | {"path": self.path})
                    said.headers.append(dict(self.headers))
                    answer = said.answers.pop(0) if len(said.answers) > 1 else said.answers[0]
                time.sleep(answer.slow_s)
                whole = answer.bytes()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(whole)))
                if answer.after:
                    self.send_header("Retry-After", answer.after)
                self.end_headers()
                self.wfile.write(whole)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
