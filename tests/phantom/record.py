# SPDX-License-Identifier: Apache-2.0
"""Makes `recorded.jsonl.gz` again: every driver several times in a real browser, in a real shop.

    python -m tests.phantom.record --sessions 60 --seed 1 --out tests/phantom/recorded.jsonl.gz

The shop runs in front of a gateway that only listens, so it shows base prices. What the browser
side read of each session is checked against what the shop told that gateway. Visits take as long
as they say they do; several go on at a time.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tqdm import tqdm

from bls.errors import SkynetError
from bls.phantom.recorded import write_sessions
from bls.phantom.session import MODES, Mode, Session
from bls.phantom.shop import catalogue
from pipelines_dagster.phantom.traffic.browser_ground import BrowserGround
from pipelines_dagster.phantom.traffic.driver import Driver
from pipelines_dagster.phantom.traffic.drivers import drivers

_READY_S = 30.0


class Listener:
    """A gateway that takes records and knows no prices.

    Attributes:
        told: session id -> event id -> action. What is told twice is there once.
        asked: paths and bodies, in their order.
    """

    def __init__(self) -> None:
        self.told = collections.defaultdict[str, dict[str, str]](dict)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                try:
                    body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                except ValueError:  # who asked has gone, in the middle of it
                    return
                self.send_response(listener.take(self.path, body))
                self.send_header("content-length", "2")
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # who was too slow asks again
                    self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path: str, body: dict[str, Any]) -> int:
        """The status of the answer."""
        self.asked.append((path, body))
        for one in body.get("events", ()):
            self.told[body["session_id"]][one["event_id"]] = one["action"]
        return 404 if path == "/v1/quotes" else 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def running_shop(mode: Mode, gateway: str, root: Path = Path()) -> Iterator[str]:
    """A shop's process on a free port; its address. `root`: the checkout it is run from."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "client.storefront.server", "--mode", mode]
    command += ["--host", "127.0.0.1", "--port", str(port), "--gateway", gateway]
    root = root.resolve()
    shop = subprocess.Popen(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/healthz", shop)
        yield url
    finally:
        shop.terminate()
        shop.wait(timeout=20)


def _wait(url: str, shop: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and shop.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SkynetError("shop_away", "The shop did not start.", 502)


class Keeper:
    """Writes the file anew with each session, so that one that ends early leaves what was made."""

    def __init__(self, out: Path) -> None:
        self._out, self._lock = out, threading.Lock()
        self._order = {name: at for at, name in enumerate(drivers())}
        self.made: list[Session] = []

    def keep(self, session: Session) -> None:
        with self._lock:
            self.made.append(session)
            self.made.sort(key=lambda one: (self._order[one.origin], one.start_ms))
            write_sessions(self._out, self.made)


def record(
    ground: BrowserGround, turns: SimpleQueue[tuple[Driver, int]], seed: int, keeper: Keeper
) -> None:
    """One browser's share: of each turn that it takes the first session of a trip. A fault costs
    its session."""
    with ground:
        for driver, turn in taken(turns):
            try:
                keeper.keep(next(iter(ground.sessions(driver, f"{seed}/{turn}"))))
            except SkynetError as fault:
                print(f"{driver.name}: {fault.code}", file=sys.stderr)


def taken(turns: SimpleQueue[tuple[Driver, int]]) -> Iterator[tuple[Driver, int]]:
    """What is left, for several threads."""
    with contextlib.suppress(Empty):
        while True:
            yield turns.get_nowait()


def main() -> None:
    """Command line. Exit code 1 where the shop told something else than was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--mode", choices=MODES, default="hotel")
    parser.add_argument("--browsers", type=int, default=6)
    parser.add_argument("--drivers", default=",".join(drivers()))
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    known = drivers()
    named = [known[name] for name in args.drivers.split(",")]
    turns = SimpleQueue[tuple[Driver, int]]()
    for turn in range(args.sessions):
        turns.put((named[turn % len(named)], turn))
    listener, sold, keeper = Listener(), catalogue(args.mode), Keeper(args.out)
    with (
        running_shop(args.mode, listener.url, args.root) as url,
        ThreadPoolExecutor(args.browsers) as pool,
        tqdm(total=args.sessions, unit="session", mininterval=5) as bar,
    ):
        grounds = [BrowserGround(sold, url, speed=args.speed) for _ in range(args.browsers)]
        shares = [pool.submit(record, ground, turns, args.seed, keeper) for ground in grounds]
        while not all(share.done() for share in shares):
            time.sleep(1.0)
            bar.update(len(keeper.made) - bar.n)
        for share in shares:
            share.result()
    made = keeper.made
    wrong = [one.sid for one in made if _differs(one, listener)]
    print(f"{len(made)} sessions, {len(wrong)} not as the shop told them")
    raise SystemExit(bool(wrong))


def _differs(session: Session, listener: Listener) -> bool:
    told = collections.Counter(listener.told[session.sid].values())
    read = collections.Counter(one.action for one in session.events)
    if told != read:
        print(session.origin, "told", told - read, "read", read - told, file=sys.stderr)
    return told != read


if __name__ == "__main__":
    main()
