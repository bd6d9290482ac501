# SPDX-License-Identifier: Apache-2.0
"""Makes `recorded.jsonl.gz` again: every driver several times in a real browser, in a real shop.

    python -m tests.phantom.record --sessions 70 --seed 1 --gateway http://127.0.0.1:8080 --llm \\
        --out tests/phantom/recorded.jsonl.gz

The shop is started here, behind a listener that passes on to the gateway of a running stack, so its
prices are live; `--llm` adds the driver whose mind is that gateway's model. Without `--gateway` the
listener is alone and the shop shows base prices. What the browser side read of each session, acts
and prices, is checked against what the shop and the gateway told each other. Visits take as long as
they say they do; several go on at a time.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
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
from pathlib import Path
from queue import Empty, SimpleQueue

from tqdm import tqdm

from bls.errors import SkynetError
from bls.phantom.recorded import write_sessions
from bls.phantom.session import MODES, Mode, Session
from bls.phantom.shop import catalogue
from pipelines_dagster.phantom.traffic.agents.llm import LLMShopper
from pipelines_dagster.phantom.traffic.browser_ground import BrowserGround
from pipelines_dagster.phantom.traffic.driver import Driver
from pipelines_dagster.phantom.traffic.drivers import drivers
from pipelines_dagster.phantom.traffic.model import GatewayChooser
from pipelines_dagster.phantom.traffic.post import Poster
from tests.phantom.listener import Listener

_READY_S = 30.0


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
    """Writes the file anew with each session, so that one that ends early leaves what was made.

    Args:
        gateway: address of one that is to know them as synthetic.

    Attributes:
        failed: `driver: code` of the sessions that a fault ended; they are left out.
    """

    def __init__(self, out: Path, gateway: str | None = None) -> None:
        self._out, self._lock = out, threading.Lock()
        self._poster = Poster(gateway, label_only=True) if gateway else None
        self._order = {name: at for at, name in enumerate([*drivers(), LLMShopper.name])}
        self.made: list[Session] = []
        self.failed = collections.Counter[str]()

    def keep(self, session: Session) -> None:
        if self._poster:
            self._poster.send(session)
        with self._lock:
            self.made.append(session)
            self.made.sort(key=lambda one: (self._order[one.origin], one.start_ms))
            write_sessions(self._out, self.made)

    def missed(self, driver: Driver, fault: SkynetError) -> None:
        with self._lock:
            self.failed[f"{driver.name}: {fault.code}"] += 1


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
                keeper.missed(driver, fault)


def taken(turns: SimpleQueue[tuple[Driver, int]]) -> Iterator[tuple[Driver, int]]:
    """What is left, for several threads."""
    with contextlib.suppress(Empty):
        while True:
            yield turns.get_nowait()


def main() -> None:
    """Command line. Exit code 1 where the shop told something else than was done or shown."""
    parser = _parser()
    args = parser.parse_args()
    if args.llm and not args.gateway:
        parser.error("--llm needs --gateway")
    turns = SimpleQueue[tuple[Driver, int]]()
    named = _named(args.drivers.split(","), args.gateway if args.llm else None)
    for turn in range(args.sessions):
        turns.put((named[turn % len(named)], turn))
    listener, sold = Listener(args.gateway), catalogue(args.mode)
    keeper = Keeper(args.out, args.gateway)
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
    wrong = [one.sid for one in keeper.made if differs(one, listener)]
    print(f"{len(keeper.made)} sessions, {len(wrong)} not as the shop told them")
    print(f"failed: {dict(keeper.failed)}; requests the gateway did not answer: {listener.away}")
    raise SystemExit(bool(wrong))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--mode", choices=MODES, default="hotel")
    parser.add_argument("--browsers", type=int, default=6)
    parser.add_argument("--drivers", default=",".join(drivers()), help="beside llm")
    parser.add_argument("--gateway", help="of a running stack; without it prices are base prices")
    parser.add_argument("--llm", action="store_true", help="its model drives llm, too")
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--out", type=Path, required=True)
    return parser


def _named(names: list[str], llm: str | None) -> list[Driver]:
    known = drivers()
    found = [known[name] for name in names]
    return [*found, LLMShopper(GatewayChooser(llm))] if llm else found


def differs(session: Session, listener: Listener) -> bool:
    """Whether an act was told otherwise, or a price read that nobody gave."""
    told = collections.Counter(listener.told[session.sid].values())
    read = collections.Counter(one.action for one in session.events)
    prices = {(one.item, one.price_micros) for one in session.quotes}
    made_up = prices - listener.priced[session.sid]
    if told != read or made_up:
        print(session.origin, "told", told - read, "read", read - told, made_up, file=sys.stderr)
    return told != read or bool(made_up)


if __name__ == "__main__":
    main()
