# SPDX-License-Identifier: Apache-2.0
"""Notices: a promotion, a refusal, a deadline missed. Telling never fails what it tells of.

`open_notifier` is called when a process starts: without a webhook it refuses to run, so that no
alert is lost silently (offline_orchestration U-07). `SKYNET_PIPELINES_WEBHOOK=log` is the explicit
choice of the log folder alone.
"""

from __future__ import annotations

from typing import Protocol

from bls.errors import SkynetError
from pipelines_dagster.notify.streams import Streams
from pipelines_dagster.notify.webhook import Webhook
from pipelines_dagster.settings import PipelineSettings

LOG = "log"
STREAM, ERRORS = "notify.log", "notify.error"


class Notifier(Protocol):
    """Somebody who is told."""

    def tell(self, kind: str, text: str, **fields: object) -> None:
        """Never raises.

        Args:
            kind: stable word a program can match on: `promoted`, `rolled_back`, `gate_failed`, ...
        """


class LogNotifier:
    """Writes notices to `notify.log`."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def tell(self, kind: str, text: str, **fields: object) -> None:
        self._streams.write(STREAM, kind=kind, text=text, fields=fields)


class WebhookNotifier:
    """Posts notices and writes them to `notify.log`; `failed` counts those that did not arrive."""

    def __init__(self, webhook: Webhook, streams: Streams) -> None:
        self.failed = 0
        self._webhook, self._streams = webhook, streams

    def tell(self, kind: str, text: str, **fields: object) -> None:
        self._streams.write(STREAM, kind=kind, text=text, fields=fields)
        fault = self._webhook.post({"text": text, "kind": kind, "fields": fields})
        if fault:
            self.failed += 1
            self._streams.write(ERRORS, kind=kind, why=fault, failed=self.failed)


def open_notifier(settings: PipelineSettings, streams: Streams | None = None) -> Notifier:
    """The notifier that the settings name.

    Raises:
        SkynetError: `missing_secret` without a webhook, `bad_setting` for one that is not https.
    """
    streams = streams or streams_of(settings)
    if not settings.webhook:
        streams.write(ERRORS, why="missing_secret")
        raise SkynetError(
            "missing_secret", "SKYNET_PIPELINES_WEBHOOK is not set: a webhook's URL, or log.", 500
        )
    if settings.webhook == LOG:
        return LogNotifier(streams)
    return WebhookNotifier(Webhook(settings.webhook), streams)


def streams_of(settings: PipelineSettings) -> Streams:
    """The pipelines' own log folder, beside the serving side's streams."""
    return Streams(settings.serving.logs / "pipelines")
