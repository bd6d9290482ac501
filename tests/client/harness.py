# SPDX-License-Identifier: Apache-2.0
"""A gateway on a real socket, run in a thread of the test process."""

from __future__ import annotations

import socket
import threading
from typing import Any

import httpx
import orjson

from client.gateway.server import make_server
from client.gateway.settings import GatewaySettings
from client.gateway.state import Gateway
from tests.client.fake_triton import wait_until

USER = [{"role": "user", "content": "Where to on Saturday?"}]


class LiveGateway:
    """`with LiveGateway(GatewaySettings(triton=...)) as gateway: gateway.post({...})`."""

    def __init__(self, settings: GatewaySettings):
        self._server = make_server(settings, "127.0.0.1", 0)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> LiveGateway:
        self._thread.start()
        assert wait_until(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """As SIGTERM does."""
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._socket.close()

    @property
    def state(self) -> Gateway:
        """What the routes share."""
        gateway: Gateway = self._server._app.state.gateway
        return gateway

    def post(self, body: Any, **headers: str) -> httpx.Response:
        """A chat request with a JSON body, or raw bytes."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        sent = {"content-type": "application/json"} | headers
        with httpx.Client(verify=False) as http:  # plain HTTP: loading the CA store takes 30 ms
            return http.post(self.url + "/v1/chat/completions", content=content, headers=sent)

    def stream(self, **fields: Any) -> list[bytes]:
        """All events of one streamed reply, as raw bytes without their newlines."""
        body = chat(stream=True, **fields)
        response = self.post(body)
        assert response.status_code == 200, response.text
        *events, rest = response.content.split(b"\n\n")
        assert rest == b""
        return events


def chat(**fields: Any) -> dict[str, Any]:
    """A small valid request."""
    return {"model": "skynet", "messages": USER, **fields}


def chunks_of(events: list[bytes]) -> list[dict[str, Any]]:
    """JSON of the data events before [DONE]."""
    data = [event.removeprefix(b"data: ") for event in events if event.startswith(b"data: ")]
    return [orjson.loads(item) for item in data if item != b"[DONE]"]
