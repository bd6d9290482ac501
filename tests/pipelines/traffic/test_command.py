# SPDX-License-Identifier: Apache-2.0
"""`skynet traffic` from the command line."""

from __future__ import annotations

from click.testing import CliRunner

from client.cli import cli
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway

BASE = ["traffic", "--no-clicks", "--replies", "1", "--concurrency", "1"]


def test_a_table_at_the_end(gateway: LiveGateway, triton: FakeTriton) -> None:
    done = CliRunner().invoke(cli, [*BASE, "--url", gateway.url])
    assert done.exit_code == 0, done.output
    assert "replies" in done.output
    assert "between tokens p95" in done.output


def test_failures_are_an_exit_code() -> None:
    done = CliRunner().invoke(cli, [*BASE, "--url", "http://127.0.0.1:9"])
    assert done.exit_code == 1
    assert "ConnectError 1" in done.output
