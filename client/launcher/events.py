# SPDX-License-Identifier: Apache-2.0
"""The event path beside the stack: the bundled broker where no Kafka is named, and the relay.

Neither is needed to serve: one that dies is started again, with longer and longer pauses, and
nothing else notices, since lines wait on disk. Both are children of a thread of ours, because a
child gets its signal when the thread that made it ends.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bls.settings import Settings
from client.launcher.broker import broker_command, find_broker
from client.launcher.process import Child

Command = Callable[[], list[str]]

RELAY, BROKER = "relay", "kafka"
_WATCH_S = 0.25
_PAUSE_S, _PAUSE_MAX_S = 0.5, 30.0
_STEADY_S = 60.0
_BROKER_NEEDS = ("PATH", "HOME", "LANG")
_SECRET = "SKYNET_ETCD_PASSWORD"
_SECRET_PREFIX = "AWS_"
_GRACE_S = {RELAY: 8.0, BROKER: 3.0}


@dataclass
class _Kept:
    """A program that is to run: made anew by `command` at every start."""

    name: str
    command: Command
    environment: Mapping[str, str]
    child: Child | None = None
    pause_s: float = _PAUSE_S
    started_at: float = 0.0
    start_at: float = field(default=0.0)


class EventPath:
    """`start` returns at once; `stop` lets the relay send what is on disk, then ends both.

    Args:
        settings: with the ports really used.
        environment: of the children; each gets what it needs of it, and no secrets.
        tell: told of every death and start after the first.
    """

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], tell: Callable[[str], None]
    ) -> None:
        """Raises `broker_missing`."""
        self._logs = settings.logs
        self._tell = tell
        self._kept: list[_Kept] = []
        if not settings.kafka:
            binary = find_broker()
            port = settings.kafka_port
            bare = _bare(environment)
            self._kept.append(_Kept(BROKER, lambda: broker_command(binary, port), bare))
        relay = relay_command(settings.logs, settings.kafka_servers)
        self._kept.append(_Kept(RELAY, lambda: relay, _without_secrets(environment)))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="event-path", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def pid(self, name: str) -> int | None:
        """Of the relay or the broker, while it runs."""
        (kept,) = (one for one in self._kept if one.name == name)
        return kept.child.pid if kept.child is not None else None

    def _run(self) -> None:
        while True:
            for kept in self._kept:
                self._look_after(kept)
            if self._stopping.wait(_WATCH_S):
                break
        for kept in reversed(self._kept):
            if kept.child is not None:
                kept.child.stop(_GRACE_S[kept.name])
                kept.child = None

    def _look_after(self, kept: _Kept) -> None:
        """Start what does not run, unless it died too lately."""
        now = time.monotonic()
        if kept.child is not None:
            code = kept.child.exit_code
            if code is None:
                return
            self._later(kept, now, f"ended with code {code}")
            kept.child = None
        if now >= kept.start_at:
            self._start(kept, now)

    def _start(self, kept: _Kept, now: float) -> None:
        log, again = self._logs / f"{kept.name}.txt", kept.started_at > 0
        kept.started_at = now
        try:
            kept.child = Child(kept.name, kept.command(), kept.environment, log, again)
        except (OSError, subprocess.SubprocessError) as fault:  # no memory, no room for its log
            self._later(kept, now, f"cannot be started ({type(fault).__name__})")

    def _later(self, kept: _Kept, now: float, why: str) -> None:
        """Try again after a pause, longer each time unless it had run for long."""
        steady = now >= kept.started_at + _STEADY_S
        kept.pause_s = _PAUSE_S if steady else min(2 * kept.pause_s, _PAUSE_MAX_S)
        kept.start_at = now + kept.pause_s
        with suppress(OSError, ValueError):  # a terminal that is gone
            self._tell(f"{kept.name} {why}; again in {kept.pause_s:.0f} s. Replies go on")


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """What a program of others' needs."""
    return {name: environment[name] for name in _BROKER_NEEDS if name in environment}


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The relay asks neither the key store nor the model store."""
    return {
        name: value
        for name, value in environment.items()
        if name != _SECRET and not name.startswith(_SECRET_PREFIX)
    }


def relay_command(logs: Path, kafka: str) -> list[str]:
    """Program and arguments."""
    command = [sys.executable, "-m", "bls.events.relay"]
    return [*command, "--logs", str(logs), "--kafka", kafka]
