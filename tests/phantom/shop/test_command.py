# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom shop` as a person runs it, and settings that cannot work."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bls.errors import SkynetError
from bls.settings import REPOSITORY
from client.launcher.ports import free_port
from client.storefront.server import main
from client.storefront.settings import StorefrontSettings
from tests.phantom.shop.conftest import KEY
from tests.phantom.shop.stub_gateway import poll

pytestmark = pytest.mark.spec("PH-06")


def test_it_runs_alone_in_the_mode_of_the_environment(tmp_path: Path) -> None:
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKYNET_")}
    command = [sys.executable, "-m", "client.cli", "phantom", "shop", "--port", str(port)]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [*command, "--gateway", "http://127.0.0.1:9"],
            env=kept | {"STORE_MODE": "airline", "SKYNET_API_KEY": KEY},
            cwd=REPOSITORY,
            stderr=said,
        )

    def ready() -> bool:
        try:
            told = httpx.get(f"http://127.0.0.1:{port}/healthz").json()
        except httpx.HTTPError:
            return False
        return bool(told["mode"] == "airline")

    try:
        assert poll(ready, 60.0), (tmp_path / "said").read_text()
        assert "Fairwind" in httpx.get(f"http://127.0.0.1:{port}/").text
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
    text = (tmp_path / "said").read_text()
    assert f"shop (airline) at http://127.0.0.1:{port}" in text and KEY not in text


@pytest.mark.parametrize("gateway", ["ftp://example", "127.0.0.1:8080", ""])
def test_a_gateway_is_a_url(capsys: pytest.CaptureFixture[str], gateway: str) -> None:
    assert main(["--gateway", gateway]) == 1
    assert "http://" in capsys.readouterr().err


def test_a_port_that_is_taken(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SystemExit) as caught:
            main(["--port", str(taken.getsockname()[1])])
    assert caught.value.code
    assert "in use" in capfd.readouterr().err


def test_other_modes_are_refused() -> None:
    with pytest.raises(SkynetError) as caught:
        StorefrontSettings("cruise")  # type: ignore[arg-type]
    assert caught.value.code == "unknown_mode"
