# SPDX-License-Identifier: Apache-2.0
"""Runs a shop: `python -m client.storefront.server --mode hotel --port 8090 --gateway URL`.

One process, loopback by default. The gateway's key comes from `SKYNET_API_KEY`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bls.errors import SkynetError
from bls.phantom.session import MODES
from bls.settings import Settings, load_settings
from client.clean_exit import CleanExitServer
from client.http_config import http_config
from client.storefront.app import create_app, with_security_headers
from client.storefront.settings import StorefrontSettings

SHUTDOWN_S = 3
CONNECTIONS = 256
"""Open connections at most; past it uvicorn answers 503 by itself."""


def make_server(settings: StorefrontSettings, host: str, port: int) -> CleanExitServer:
    """A server ready to `run()`."""
    config = http_config(
        with_security_headers(create_app(settings)),
        host,
        port,
        connections=CONNECTIONS,
        shutdown_s=SHUTDOWN_S,
    )
    return CleanExitServer(config)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. 0 after a clean stop, 1 when the settings do not work.

    A port that is taken ends the process with the code of uvicorn, 3.
    """
    try:
        environment = load_settings()
        args = _parser(environment).parse_args(argv)
        settings = StorefrontSettings(
            mode=args.mode,
            gateway=args.gateway,
            api_key=environment.api_key or None,
        )
        server = make_server(settings, args.host, args.port)
    except SkynetError as error:
        print(f"shop: {error}", file=sys.stderr)
        return 1
    server.run()
    return 0 if server.started else 1


def _parser(environment: Settings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m client.storefront.server", description=__doc__)
    gateway = f"http://{environment.host}:{environment.port}"
    parser.add_argument("--mode", choices=MODES, default=environment.store_mode or MODES[0])
    parser.add_argument("--host", default=environment.host, help="address to listen on")
    parser.add_argument("--port", type=int, default=environment.store_port)
    parser.add_argument("--gateway", default=gateway, help="URL of the gateway")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
