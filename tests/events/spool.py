# SPDX-License-Identifier: Apache-2.0
"""A log folder that grows as a server's does, and relays on it: in a thread, or as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from bls.events.relay.relay import Relay, RelayOptions
from bls.settings import REPOSITORY
from bls.settlement.segments import Appender
from tests.events.tansu import environment

CLICKS, REFUSED = "click.logs", "auction.policy"


class Spool:
    """Billing lines through the chained appender, in small segments; debug lines beside them."""

    def __init__(self, folder: Path, conversations: int = 7, segment_bytes: int = 4_000) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.made = 0
        self._conversations = conversations
        self._appender = Appender(folder, CLICKS, segment_bytes)

    def write(self, count: int = 1) -> None:
        """So many clicks, and a refused token for each."""
        refused = b""
        for _ in range(count):
            self._appender.add([orjson.dumps(self.click(self.made))])
            refused += orjson.dumps(self.refused(self.made)) + b"\n"
            self.made += 1
        self._appender.write()
        with (self.folder / REFUSED).open("ab") as file:
            file.write(refused)

    def close(self) -> None:
        self._appender.close()

    def place(self, number: int) -> dict[str, Any]:
        conv = f"conv-{number % self._conversations}"
        return {"v": 1, "ts": 1e9 + number, "conv_id": conv, "request_id": f"req-{number}"}

    def click(self, number: int) -> dict[str, Any]:
        more = {"advertiser": "kite", "impressions": 1, "clicks": 1, "dwell_ms": number}
        return self.place(number) | more

    def refused(self, number: int) -> dict[str, Any]:
        return self.place(number) | {"token_idx": number, "reason": "r", "blocked": 1}

    def options(self, address: str) -> RelayOptions:
        return RelayOptions(
            self.folder, address, (CLICKS, REFUSED), retry_s=0.05, poll_s=0.01, connect_s=0.4
        )


class LiveRelay:
    """`with LiveRelay(options) as live:` a relay on a thread; leaving tells it to end."""

    def __init__(self, options: RelayOptions, **changes: Any) -> None:
        self.relay = Relay(replace(options, **changes))
        self.stats = self.relay.stats
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.relay.run, args=(self._stop,))

    def __enter__(self) -> LiveRelay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


class RelayProcess:
    """`python -m bls.events.relay`."""

    def __init__(self, folder: Path, address: str) -> None:
        command = [sys.executable, "-m", "bls.events.relay", "--logs", str(folder)]
        command += ["--kafka", address, "--topics", f"{CLICKS},{REFUSED}"]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment(), stderr=subprocess.PIPE
        )

    def end(self, how: signal.Signals) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(how)
        code = self.process.wait(20)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


def checkpoint(folder: Path) -> dict[str, Any]:
    """What the relay wrote down last; empty before."""
    path = folder / f"{RelayOptions(folder, '', (CLICKS, REFUSED)).name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def behind(folder: Path) -> int:
    """Lines of both streams that a checkpoint has behind it."""
    return sum(state["lines"] for state in checkpoint(folder).get("streams", {}).values())
