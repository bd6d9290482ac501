# SPDX-License-Identifier: Apache-2.0
"""A world of records ready to be invoiced, and a payment service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.billing.rig import Service
from tests.pipelines.gdpr.world import World, copied, make


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make(tmp_path_factory.mktemp("template"))


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    return copied(template, tmp_path / "state")


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service("", [], {}, [])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append(dict(self.headers))
            status = found.statuses.pop(0) if found.statuses else 200
            if status == 0:  # taken, and the answer lost
                found.kept.setdefault(self.headers["Idempotency-Key"], body)
                self.close_connection = True
                return
            if status < 300:
                found.kept.setdefault(self.headers["Idempotency-Key"], body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1/invoices"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()
