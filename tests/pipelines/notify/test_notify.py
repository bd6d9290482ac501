# SPDX-License-Identifier: Apache-2.0
"""Notices reach a real HTTP server, or are counted; a missing webhook is refused at start."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.settings import Settings
from pipelines_dagster.notify.notifier import LogNotifier, WebhookNotifier, open_notifier
from pipelines_dagster.notify.series import folder, gauge
from pipelines_dagster.notify.streams import Streams
from pipelines_dagster.notify.webhook import RETRIES, Webhook
from pipelines_dagster.settings import PipelineSettings, load_pipeline_settings

SECRET = "/hooks/T0/very-secret"


class Receiver(ThreadingHTTPServer):
    """Answers with the next of `answers`, the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = [200]
        self.bodies: list[dict[str, object]] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        receiver = self.server
        length = int(self.headers["Content-Length"])
        receiver.bodies.append(json.loads(self.rfile.read(length)))
        receiver.paths.append(self.path)
        code = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def streams(tmp_path: Path) -> Streams:
    return Streams(tmp_path / "logs")


def read(streams: Streams, name: str) -> list[dict[str, object]]:
    path = streams.folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def notifier(receiver: Receiver, streams: Streams) -> WebhookNotifier:
    return WebhookNotifier(Webhook(receiver.url, pause_s=0.001), streams)


def test_a_notice_arrives(receiver: Receiver, streams: Streams) -> None:
    notifier(receiver, streams).tell("promoted", "pred_1 is live.", version="pred_1", share=0.05)
    assert receiver.bodies == [
        {
            "text": "pred_1 is live.",
            "kind": "promoted",
            "fields": {"version": "pred_1", "share": 0.05},
        }
    ]
    assert [line["kind"] for line in read(streams, "notify.log")] == ["promoted"]


def test_it_is_tried_again(receiver: Receiver, streams: Streams) -> None:
    receiver.answers = [500, 429, 503, 200]
    told = notifier(receiver, streams)
    told.tell("promoted", "It is live.")
    assert len(receiver.bodies) == RETRIES + 1 and told.failed == 0


@pytest.mark.parametrize(("code", "asked"), [(500, RETRIES + 1), (403, 1), (302, 1)])
def test_what_does_not_arrive_is_counted(
    receiver: Receiver, streams: Streams, code: int, asked: int
) -> None:
    receiver.answers = [code]
    told = notifier(receiver, streams)
    told.tell("promoted", "It is live.")
    assert told.failed == 1 and len(receiver.bodies) == asked
    assert set(receiver.paths) == {SECRET}  # no redirect is followed
    assert read(streams, "notify.error")[0]["why"] == f"status {code}"


def test_nobody_there(streams: Streams) -> None:
    told = WebhookNotifier(Webhook("http://127.0.0.1:9/x", 0.2, 0.001), streams)
    told.tell("promoted", "It is live.", odd=object())
    assert told.failed == 1
    assert read(streams, "notify.error")[0]["why"] == "ConnectError"


def test_the_url_is_never_written(
    receiver: Receiver, streams: Streams, caplog: pytest.LogCaptureFixture
) -> None:
    settings = PipelineSettings(Settings(state=streams.folder), webhook=receiver.url)
    caplog.set_level(logging.INFO)
    receiver.answers = [403]
    told = notifier(receiver, streams)
    told.tell("promoted", "It is live.")
    written = "".join(path.read_text() for path in streams.folder.iterdir())
    shown = caplog.text + repr(settings) + repr(Webhook(receiver.url)) + written
    assert "very-secret" not in shown


@pytest.mark.spec("ORC-U-07")
def test_a_missing_webhook_fails_at_start(tmp_path: Path) -> None:
    settings = load_pipeline_settings({"SKYNET_STATE": str(tmp_path)})
    with pytest.raises(SkynetError, match="SKYNET_PIPELINES_WEBHOOK") as refused:
        open_notifier(settings)
    assert refused.value.code == "missing_secret"
    log = settings.serving.logs / "pipelines" / "notify.error"
    assert json.loads(log.read_text())["why"] == "missing_secret"


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://example.org", "https://", "log ", "http://[", "hook"]
)
def test_other_urls_are_refused(url: str, tmp_path: Path) -> None:
    settings = PipelineSettings(Settings(state=tmp_path), webhook=url)
    with pytest.raises(SkynetError) as refused:
        open_notifier(settings)
    assert refused.value.code == "bad_setting" and url not in refused.value.message


def test_which_notifier(tmp_path: Path) -> None:
    def opened(webhook: str) -> object:
        return open_notifier(PipelineSettings(Settings(state=tmp_path), webhook=webhook))

    assert isinstance(opened("log"), LogNotifier)
    assert isinstance(opened("https://example.org/x"), WebhookNotifier)
    assert isinstance(opened("http://localhost:1/x"), WebhookNotifier)


def test_a_gauge_is_one_file(tmp_path: Path) -> None:
    settings = PipelineSettings(Settings(state=tmp_path))
    gauge(folder(settings), "orch_promotion_ms", 12.5, "Of the last one")
    gauge(folder(settings), "orch_promotion_ms", 7.0, "Of the last one")
    found = list(folder(settings).iterdir())
    assert [path.name for path in found] == ["orch_promotion_ms.prom"]
    assert found[0].read_text().splitlines()[-1] == "orch_promotion_ms 7"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRAINING", "slow"),
        ("CANARY_SHARE", "1.0"),
        ("CANARY_SHARE", "x"),
        ("CANARY_S", "0"),
        ("CANARY_ROWS", "1.5"),
        ("WEBHOOKS", "log"),
    ],
)
def test_bad_settings_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SkynetError, match=f"SKYNET_PIPELINES_{name[:6]}") as refused:
        load_pipeline_settings({f"SKYNET_PIPELINES_{name}": value})
    assert refused.value.code == "bad_setting"
