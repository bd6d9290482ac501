# SPDX-License-Identifier: Apache-2.0
"""`skynet advertisers` and `skynet budget`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bls.ads.advertisers import PREFIX
from client.cli import cli
from client.gateway.settings import GatewaySettings
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway


@pytest.fixture
def live(triton: FakeTriton, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A gateway that asks for keys, on the database of these settings; its address."""
    url = f"sqlite:///{tmp_path}/skynet.db"
    monkeypatch.setenv("SKYNET_DATABASE", url)
    settings = GatewaySettings(triton=triton.address, database=url, api_key="operator")
    with LiveGateway(settings) as gateway:
        yield gateway.url


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def failing(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code != 0
    return result.output + str(result.exception)


def test_from_a_key_to_a_budget(live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("advertisers", "list") == "none\n"
    first = run("advertisers", "add", "alpine").strip()
    assert first.startswith(PREFIX) and "exists" in failing("advertisers", "add", "alpine")
    assert "a-z" in failing("advertisers", "add", "Al pine")
    second = run("advertisers", "key", "alpine").strip()
    assert second not in ("", first) and "yes" in run("advertisers", "list")
    monkeypatch.setenv("SKYNET_API_KEY", second)
    monkeypatch.delenv("SKYNET_DATABASE")
    end = str(int(time.time()) + 900)
    order = ("--left", "12.50", "--end", end, "--order", "o1", "--url", live)
    assert "12.500000" in run("budget", "set", "alpine", *order)
    assert '"budget_left_micros": 12500000' in run(
        "budget", "get", "alpine", "--url", live, "--json"
    )
    assert "another order" in failing(
        "budget", "set", "alpine", "--daily", "1", "--order", "o1", "--url", live
    )
    assert "another advertiser" in failing("budget", "get", "harbor", "--url", live)


def test_a_key_is_revoked(live: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run("advertisers", "add", "alpine")
    assert "no key" in run("advertisers", "key", "alpine", "--revoke")
    assert " no " in run("advertisers", "list")
    assert "no such advertiser" in failing("advertisers", "key", "harbor")


@pytest.mark.parametrize("amount", ["-1", "x", "nan", "0.0000001", "1e999999"])
def test_amounts_are_checked(amount: str) -> None:
    assert "Invalid value for .--daily." in failing(
        "budget", "set", "a", "--daily", amount
    ).replace("'", ".")
