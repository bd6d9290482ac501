# SPDX-License-Identifier: Apache-2.0
"""What a person sees: colours, tables, the demo view, the `skynet` command."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from client import cli
from client.palette import Palette, printable
from client.render import ChatView, DemoView, dollars, receipt_table, token_line
from client.replies import Event, Receipt, Start, Token
from client.thin import stream_chat
from tests.client.fake_script import DISCLOSURE, forever
from tests.client.fake_triton import FakeTriton, wait_until
from tests.client.harness import USER, LiveGateway

ROOT = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def events(gateway: LiveGateway) -> list[Event]:
    return list(stream_chat(gateway.url, USER))


def show(events: list[Event], out: io.StringIO, view: type = ChatView) -> str:
    shown = view(out)
    for event in events:
        shown.show(event)
    return out.getvalue()


def receipt_of(events: list[Event]) -> Receipt:
    (receipt,) = [event for event in events if isinstance(event, Receipt)]
    return receipt


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "$0.000000"),
        (1, "$0.000001"),
        (999_999, "$0.999999"),
        (1_000_000, "$1.000000"),
        (-250, "-$0.000250"),
        (2**63, "$9223372036854.775808"),
    ],
)
def test_dollars_are_exact(micros: int, text: str) -> None:
    assert dollars(micros) == text


def test_chat_view_colours_only_sponsored_tokens(
    events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = show(events, Terminal())
    paint = Palette(True, ["nimbus_air", "casa_verde"]).paint
    assert f"Try the{paint(' morning', 'nimbus_air')}{paint(' flight', 'nimbus_air')} to" in shown


@pytest.mark.parametrize("no_color", [True, False])
def test_plain_where_colours_are_not_wanted(
    events: list[Event], monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "1" if no_color else "")
    shown = show(events, Terminal() if no_color else io.StringIO())
    assert "\x1b" not in shown
    assert "Try the morning flight" in shown and DISCLOSURE in shown


def test_demo_view_has_one_aligned_line_per_token(events: list[Event]) -> None:
    lines = show(events, io.StringIO(), DemoView).splitlines()
    tokens = [line for line in lines if line[:4].strip().isdigit() and "|" in line]
    assert len(tokens) == 10
    assert len({len(line) for line in tokens}) == 1
    assert "nimbus_air" in tokens[2] and "0.12500" in tokens[2]
    assert "Try the morning flight to Lisboa ✈." in lines


def test_a_dropped_row_says_why(events: list[Event]) -> None:
    token = next(event for event in events if isinstance(event, Token))
    row = dataclasses.replace(token.rows[0], status="not_finite")
    line = token_line(dataclasses.replace(token, rows=(row,)), Palette(False))
    assert "left out: not_finite" in line


def test_a_replaced_token_is_marked(events: list[Event]) -> None:
    token = next(event for event in events if isinstance(event, Token))
    plain, marked = (
        token_line(dataclasses.replace(token, policy=policy), Palette(False))
        for policy in (False, True)
    )
    assert "!" in marked and "!" not in plain and len(marked) == len(plain)


def test_replaced_tokens_are_counted_where_there_are_any(events: list[Event]) -> None:
    receipt = receipt_of(events)
    assert "policy" not in receipt_table(receipt, Palette(False))
    counted = dataclasses.replace(receipt, policy_tokens=2)
    assert ", 2 replaced by policy, charged by" in receipt_table(counted, Palette(False))


def test_receipt_table_adds_up(events: list[Event]) -> None:
    table = receipt_table(receipt_of(events), Palette(False)).splitlines()
    assert table[0].split() == [
        "advertiser",
        "bid",
        "tokens",
        "payment",
        "critical",
        "bid",
        "charged",
    ]
    assert table[-2].split() == ["total", "2", "$0.000250"]
    assert len({len(line) for line in table[:-1]}) == 1


def test_colours_are_stable_and_distinct() -> None:
    names = [f"advertiser_{n}" for n in range(8)]
    palette = Palette(True, names)
    assert len({palette.paint("x", name) for name in names}) == 8
    assert Palette(True, ["a"]).paint("x", "a") == Palette(True, ["a"]).paint("x", "a")
    assert palette.paint("x", None) == "x"


def test_replies_cannot_steer_the_terminal(events: list[Event]) -> None:
    assert printable("a\x1b]0;owned\x07\x1b[2Jb\x9b1m\r\n\t") == "a]0;owned[2Jb1m\n\t"
    start = next(event for event in events if isinstance(event, Start))
    token = next(event for event in events if isinstance(event, Token))
    evil = dataclasses.replace(token, text="\x1b[2J")
    assert "\x1b" not in show([start, evil], io.StringIO())


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *args: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["skynet", *args])
    code = cli.main()
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("command", ["", "chat", "serve", "demo", "models", "health", "completion"])
def test_help_everywhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    code, out, _ = run(capsys, monkeypatch, *command.split(), "--help")
    assert (code, out[:6]) == (0, "Usage:")


def test_chat_command(
    gateway: LiveGateway,
    triton: FakeTriton,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    args = ["chat", "hello", "--url", gateway.url, "--bidder", "nimbus_air=0.5:Fly: now."]
    args += ["--max-tokens", "3", "--system", "Be brief.", "--seed", "4"]
    code, out, _ = run(capsys, monkeypatch, *args)
    assert code == 0
    assert out.startswith("Try the morning") and "$0.000250" in out
    request = triton.requests[0]
    assert [m.role for m in request.messages] == ["system", "user"]
    assert (request.max_tokens, request.seed) == (3, 4)
    (bidder,) = request.auction.bidders or ()
    assert (bidder.bid, bidder.ad_prompt) == (0.5, "Fly: now.")


def test_raw_chunks(
    gateway: LiveGateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = run(capsys, monkeypatch, "chat", "hello", "--json", "--url", gateway.url)
    chunks = [json.loads(line) for line in out.splitlines()]
    assert "receipt" in chunks[-1]["skynet"]


def test_interactive_keeps_the_conversation(
    gateway: LiveGateway,
    triton: FakeTriton,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("first\n\nsecond\n"))
    code, _, _ = run(capsys, monkeypatch, "chat", "-i", "--url", gateway.url)
    assert code == 0
    assert [len(request.messages) for request in triton.requests] == [1, 3]
    assert triton.requests[1].messages[1].content == "Try the morning flight to Lisboa ✈."
    assert len({request.conv_id for request in triton.requests}) == 1


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["chat", "hi", "--bidder", "nimbus_air"], 2, "is not name=bid"),
        (["chat", "hi", "--bidder", "Nimbus=1"], 1, "invalid_auction"),
        (["chat", "hi", "--max-tokens", "0"], 1, "(invalid_value, max_tokens)"),
        (["chat", " "], 1, "empty_message"),
        (["nonsense"], 2, "No such command"),
        (["models", "--url", "http://127.0.0.1:9"], 1, "cannot talk to the gateway"),
        (["models", "--url", "ftp://x"], 1, "cannot talk to the gateway"),
    ],
)
def test_errors_are_one_line_without_a_trace(  # noqa: PLR0917
    gateway: LiveGateway,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    code: int,
    says: str,
) -> None:
    url = [] if "--url" in args or args[0] == "nonsense" else ["--url", gateway.url]
    got, _, err = run(capsys, monkeypatch, *args, *url)
    assert got == code
    assert says in err and "Traceback" not in err


def test_a_bad_environment_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYNET_PORTT", "1")
    code, _, err = run(capsys, monkeypatch, "models")
    assert (code, err.count("\n")) == (1, 1)
    assert "SKYNET_PORTT" in err


def test_health_and_models(
    gateway: LiveGateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, monkeypatch, "models", "--url", gateway.url)[1] == "skynet\n"
    assert "ready" in run(capsys, monkeypatch, "health", "--url", gateway.url)[1]


def test_completion_script(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "_SKYNET_COMPLETE" in run(capsys, monkeypatch, "completion", "bash")[1]


def child(*args: str) -> subprocess.Popen[bytes]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SKYNET_")}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", *args], cwd=ROOT, env=environment, stdout=pipe, stderr=pipe
    )


def test_ctrl_c_exits_130(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = forever
    with child("client.cli", "chat", "hello", "--url", gateway.url) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(9) == b" on on on"
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130
        assert process.stderr.read().strip() == b"skynet: interrupted"
    assert wait_until(lambda: triton.cancelled == 1)


def listens(pid: int) -> bool:
    connections = psutil.Process(pid).net_connections("tcp")
    return any(connection.status == psutil.CONN_LISTEN for connection in connections)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_gateway_process_stops_cleanly(triton: FakeTriton, number: int) -> None:
    with child("client.gateway.server", "--port", "0", "--triton", triton.address) as process:
        assert process.stderr is not None
        assert wait_until(lambda: listens(process.pid), 30)
        process.send_signal(number)
        assert process.wait(5) == 0
        assert b"Traceback" not in process.stderr.read()
