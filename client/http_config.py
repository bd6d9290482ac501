# SPDX-License-Identifier: Apache-2.0
"""How the gateway and the shop speak HTTP."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp


def http_config(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    connections: int,
    shutdown_s: int,
    h11_max_incomplete_event_size: int | None = None,
) -> uvicorn.Config:
    """Of a server that is to `run()`.

    Args:
        connections: open ones at most; past it uvicorn answers 503 by itself.
        shutdown_s: that open requests have once a stop was asked for.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        loop="uvloop",
        http="httptools",
        server_header=False,
        limit_concurrency=connections,
        timeout_graceful_shutdown=shutdown_s,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=h11_max_incomplete_event_size,
        lifespan="on",
    )
