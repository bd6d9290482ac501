# SPDX-License-Identifier: Apache-2.0
"""`skynet serve`, `chat` and `demo` as real processes: ready, useful, and gone without a trace."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from bls.settings import REPOSITORY
from tests.system.probe import TRIP
from tests.system.serve import SKYNET, Served, own_environment, skynet

TRACE = "0af7651916cd43dd8448eb211c80319c"
ESCAPE = "\x1b["
TOKEN_LINE = re.compile(r"^ +\d+  .+ \| +\d+\.\d\d ", re.MULTILINE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One stack for the tests that only ask; the last one ends it."""
    state = tmp_path_factory.mktemp("served")
    served = Served.start(state, SKYNET_TRACES=f"file:{state / 'spans.jsonl'}")
    yield served
    served.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Served]]:
    """Starts a stack, with its events, that the test ends."""
    running: list[Served] = []

    def begin() -> Served:
        running.append(Served.start(tmp_path / "state", SKYNET_EVENTS="1"))
        return running[-1]

    yield begin
    for served in running:
        served.kill()


def ask(url: str, **changes: object) -> httpx.Response:
    body = {"model": "skynet", "messages": TRIP, "max_tokens": 6} | changes
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30)


def gone(served: Served) -> None:
    """No process, no shared memory, no folder of the run."""
    assert served.survivors() == []
    assert served.segments == []
    assert served.run_folders == []


def test_ctrl_c_while_a_reply_streams(start: Callable[[], Served]) -> None:
    served = start()
    body = {"model": "skynet", "messages": TRIP, "max_tokens": 200, "stream": True}
    url = f"{served.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, timeout=30) as answer:
        lines = answer.iter_lines()
        assert answer.status_code == 200
        while '"token_id"' not in next(lines):
            pass
        served.process.send_signal(signal.SIGINT)
        rest = "\n".join(lines)
    assert "shutting_down" in rest and '"receipt"' not in rest
    assert served.process.wait(20) == 0
    gone(served)
    assert "events go to Kafka at 127.0.0.1:" in served.said
    figures = (served.state / "logs" / "relay.prom").read_text()
    assert 'orch_events_sent_total{topic="e2e.trace"} 1' in figures, "sent before the end"


def test_killed_launcher_takes_its_children_along(start: Callable[[], Served]) -> None:
    served = start()
    assert len(served.family) >= 5, "server, two stubs, model worker, gateway"
    served.end(signal.SIGKILL)
    assert served.survivors(seconds=8.0) == []
    assert served.segments == []


def test_second_serve_on_the_same_ports(served: Served) -> None:
    again = skynet("serve", environment=served.environment)
    assert again.returncode == 1 and again.stdout == ""
    (line,) = again.stderr.splitlines()
    assert served.environment["SKYNET_PORT"] in line and "SKYNET_PORT" in line
    assert "port_in_use" in line
    assert ask(served.url).status_code == 200
    assert served.run_folders == [served.run], "the running stack's folder is untouched"


def test_unknown_variable(tmp_path: Path) -> None:
    environment = own_environment(tmp_path / "state", SKYNET_PROT="8080")
    for command in ("serve", "demo"):
        done = skynet(command, environment=environment)
        assert done.returncode == 1 and done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert "SKYNET_PROT" in line
    assert not (tmp_path / "state").exists()


def test_health_and_models(served: Served) -> None:
    health = skynet("health", environment=served.environment)
    assert health.returncode == 0 and "ready" in health.stdout
    models = skynet("models", environment=served.environment)
    assert models.returncode == 0 and models.stdout.split()


def test_chat_through_a_pipe(served: Served) -> None:
    done = skynet("chat", "Where to hike?", "--max-tokens", "8", environment=served.environment)
    assert done.returncode == 0 and done.stderr == ""
    assert ESCAPE not in done.stdout
    assert "charged by clarke" in done.stdout and "total" in done.stdout


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_chat_on_a_terminal(served: Served, no_colour: str) -> None:
    """Sponsored tokens are coloured, unless NO_COLOR is set."""
    environment = served.environment | {"TERM": "xterm-256color", "NO_COLOR": no_colour}
    words = ["chat", "Plan a trip.", "--max-tokens", "12", "--bidder", "alpine_rail=30"]
    shown = on_a_terminal(words, environment)
    assert "alpine_rail" in shown and "charged by clarke" in shown
    assert (ESCAPE in shown) is not bool(no_colour)


def test_chat_when_nobody_listens(tmp_path: Path) -> None:
    done = skynet("chat", "Hello?", environment=own_environment(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "is `skynet serve` running?" in line


def test_one_trace_per_reply(served: Served) -> None:
    """The caller's trace goes through the gateway into the server's model."""
    body = {"model": "skynet", "messages": TRIP, "max_tokens": 3}
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    url = f"{served.url}/v1/chat/completions"
    assert httpx.post(url, json=body, headers=headers, timeout=30).status_code == 200
    gateway, auction = traced(served, TRACE)
    assert gateway["parent_id"] == "0xb7ad6b7169203331"
    assert auction["parent_id"] == gateway["context"]["span_id"]
    assert auction["attributes"]["tokens"] == 3


def test_demo_from_start_to_end(tmp_path: Path) -> None:
    environment = own_environment(tmp_path / "state")
    done = skynet("demo", "--max-tokens", "16", environment=environment)
    assert done.returncode == 0, done.stderr
    assert len(TOKEN_LINE.findall(done.stdout)) >= 8
    assert "user: Plan a relaxed weekend" in done.stdout
    assert re.search(r"^total .*\$\d+\.\d{6}$", done.stdout, re.MULTILINE)
    charged = not re.search(r"^total .*\$0\.000000$", done.stdout, re.MULTILINE)
    assert ("Sponsored:" in done.stdout) is charged
    assert "starting the Triton server" in done.stderr
    assert list((tmp_path / "state").glob("run-*")) == []


def test_sigterm_ends_everything(served: Served) -> None:
    """Comes last: it ends the stack that the tests above asked."""
    assert served.segments, "the server has shared memory while it runs"
    assert ask(served.url).json()["choices"][0]["message"]["content"]
    assert served.end(signal.SIGTERM) == 0
    gone(served)
    assert served.said.endswith("stopped\n")


def traced(served: Served, trace: str) -> list[dict]:
    """The spans `reply` and `token_auction` of a trace."""
    file, deadline = served.state / "spans.jsonl", time.monotonic() + 10
    while True:
        spans = [json.loads(line) for line in file.read_text().splitlines()]
        found = {s["name"]: s for s in spans if s["context"]["trace_id"] == f"0x{trace}"}
        if len(found) == 2:
            return [found["reply"], found["token_auction"]]
        assert time.monotonic() < deadline, spans
        time.sleep(0.1)


def on_a_terminal(words: list[str], environment: dict[str, str]) -> str:
    """What a command shows on a terminal of its own."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*SKYNET, *words], env=environment, cwd=REPOSITORY, stdin=theirs, stdout=theirs
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        assert process.wait(30) == 0
    return shown.decode()


def _read(terminal: int) -> bytes:
    """Empty at the end, which a terminal tells as an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""
