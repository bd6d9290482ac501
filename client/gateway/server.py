# SPDX-License-Identifier: Apache-2.0
"""Runs the gateway: `python -m client.gateway.server --port 8080 --triton 127.0.0.1:8001`.

One process, loopback by default. On SIGTERM or Ctrl-C open replies are told `shutting_down`,
their upstream calls are cancelled, and the process ends within `SHUTDOWN_S` seconds.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette

from bls.errors import SkynetError
from bls.explain.options import ExplainOptions
from bls.settings import Settings, load_settings
from client.clean_exit import CleanExitServer
from client.gateway.app import create_app, with_request_id
from client.gateway.settings import GatewaySettings
from client.http_config import http_config

SHUTDOWN_S = 4
CONNECTIONS = 512
"""Open connections at most; past it uvicorn answers 503 by itself."""


class GatewayServer(CleanExitServer):
    """Ends open replies first: uvicorn alone would wait for readers to leave."""

    def __init__(self, config: uvicorn.Config, app: Starlette):
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell every open reply to end, then close as usual."""
        self._app.state.gateway.drain.set()
        await super().shutdown(sockets)


def make_server(settings: GatewaySettings, host: str, port: int) -> GatewayServer:
    """A server ready to `run()`."""
    app = create_app(settings)
    config = http_config(
        with_request_id(app),
        host,
        port,
        connections=CONNECTIONS,
        shutdown_s=SHUTDOWN_S,
        h11_max_incomplete_event_size=16 * 1024,
    )
    return GatewayServer(config, app)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. 0 after a clean stop, 1 when the port or the settings do not work."""
    try:
        environment = load_settings()
        args = _parser(environment).parse_args(argv)
        settings = GatewaySettings(
            triton=args.triton,
            models=tuple(args.model or GatewaySettings.models),
            api_key=environment.api_key or None,
            traces=environment.traces,
            streams=args.streams,
            explain=ExplainOptions(tve=environment.tve_folder(), keys=True, logs=environment.logs),
            logs=environment.logs,
            salt=environment.state / "session.salt",
            keys=environment.key_store,
            etcd_password=environment.etcd_password,
            database=environment.database_url,
            database_password=environment.database_password,
        )
        server = make_server(settings, args.host, args.port)
    except (ValueError, SkynetError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    server.run()
    return 0 if server.started else 1


def _parser(environment: Settings) -> argparse.ArgumentParser:
    triton = f"{environment.host}:{environment.triton_grpc_port}"
    parser = argparse.ArgumentParser(prog="python -m client.gateway.server", description=__doc__)
    parser.add_argument("--host", default=environment.host, help="address to listen on")
    parser.add_argument("--port", type=int, default=environment.port, help="port to listen on")
    parser.add_argument("--triton", default=triton, help="host:port of gRPC")
    parser.add_argument("--model", action="append", help="a served model name (repeatable)")
    parser.add_argument(
        "--streams", type=int, default=GatewaySettings.streams, help="live replies at most"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
