# SPDX-License-Identifier: Apache-2.0
"""Who is told when something is late or failed: the log folder, and the webhook when one is set."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from pipelines_dagster.settings import PipelineSettings

STREAM = "notifications"
Tell = Callable[..., None]


def teller(settings: PipelineSettings) -> Tell:
    """`tell(event, **facts)`: a line in `<logs>/notifications`, and a JSON post to the webhook.

    A webhook that does not answer is written down too; it stops nothing.
    """

    def tell(event: str, **facts: Any) -> None:
        line = {"ts": round(time.time(), 3), "event": event, **facts}
        _write(settings, line)
        if not settings.webhook.startswith(("https://", "http://")):
            return
        try:
            httpx.post(settings.webhook, json=line, timeout=5.0).raise_for_status()
        except httpx.HTTPError as fault:
            _write(settings, {**line, "event": "webhook_failed", "why": type(fault).__name__})

    return tell


def _write(settings: PipelineSettings, line: dict[str, Any]) -> None:
    folder = settings.serving.logs
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / STREAM).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
