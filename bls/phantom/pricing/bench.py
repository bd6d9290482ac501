# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.phantom.pricing.bench`: pages priced a second, and how long one takes.

The same pages three ways: the bare graph in this process, `session_price` in the real server over
gRPC, and the provider in front of that, with the states it builds and its bounds. No price is held.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bls.contracts import PRICE_GRAPH, SESSION_PRICE
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.models.onnx_model import OnnxModel
from bls.phantom.pricing.provider import POLICY, Provider
from bls.phantom.pricing.state import Market, Sight, states
from bls.phantom.session import Mode
from bls.phantom.shop import Catalogue, Item
from bls.settings import REPOSITORY, Settings, load_settings

HEAD = f"{'way':<28} {'callers':>7} {'pages':>6} {'quotes/s':>9} {'p50 ms':>7} {'p95 ms':>7}"
_WARM_UP = 50
_TIMEOUT_S = 5.0


class Times(NamedTuple):
    """Of whole pages; `str` is a line under `HEAD`."""

    way: str
    callers: int
    items: int
    seconds: float
    each: list[float]

    def __str__(self) -> str:
        per_s = len(self.each) * self.items / self.seconds
        p50, p95 = 1e3 * np.percentile(self.each, [50, 95])
        counts = f"{self.way:<28} {self.callers:>7} {len(self.each):>6} {per_s:>9.0f}"
        return f"{counts} {p50:>7.3f} {p95:>7.3f}"


class Visitors:
    """Sessions somewhere in the middle of their visit."""

    def sight(self, session_id: str, mode: Mode) -> Sight:
        return Sight(0.4, 12)

    def demand(self, mode: Mode) -> Mapping[str, float]:
        return {}


def shop(items: int) -> Catalogue:
    """So many items, from 40 to 400 units."""
    made = {}
    for number in range(items):
        base = 1_000_000 * (40 + 360 * number // items)
        prices = (base // 2, base * 4 // 5, base, base * 6 // 5)
        made[f"i{number}"] = Item(f"i{number}", "", "", {}, ("2026-01-01", "2027-01-01"), *prices)
    return Catalogue("hotel", "EUR", made)


def bare(model: Path, catalogue: Catalogue, pages: int) -> Times:
    """The graph and nothing else."""
    items = list(catalogue.items.values())
    rows = states(items, Sight(0.4, 12), Market({}, len(items)), {}, {})
    graph, each = OnnxModel(model, PRICE_GRAPH), []
    for page in range(-_WARM_UP, pages):
        began = time.perf_counter()
        graph.run({PRICE_GRAPH.inputs[0].name: rows})
        if page >= 0:
            each.append(time.perf_counter() - began)
    return Times("bare ONNX", 1, len(items), sum(each), each)


async def served(address: str, catalogue: Catalogue, pages: int, callers: int) -> list[Times]:
    """Through the server, alone and behind the provider."""
    from client.gateway.phantom.policy import TritonPolicy  # noqa: PLC0415  (the gateway's)
    from client.gateway.upstream import Triton  # noqa: PLC0415

    triton = Triton(address)
    policy = TritonPolicy(triton, _TIMEOUT_S)
    limits = replace(LIMITS, price_hold_s=0.0, price_timeout_s=_TIMEOUT_S)
    provider = Provider(policy, Visitors(), catalogues=lambda mode: catalogue, limits=limits)
    names, items = list(catalogue.items), list(catalogue.items.values())
    rows = states(items, Sight(0.4, 12), Market({}, len(items)), {}, {})

    async def alone(session: str) -> None:
        await policy(rows, session)

    async def whole(session: str) -> None:
        given = await provider.quotes(session, "hotel", names)
        if {one.policy for one in given} != {POLICY}:
            raise SkynetError("no_price", "The model did not answer.", 503)

    found = []
    for way, ask in (("session_price over gRPC", alone), ("provider, bounds and all", whole)):
        await _asked(ask, callers, _WARM_UP)
        began = time.perf_counter()
        each = await _asked(ask, callers, pages // callers)
        found.append(Times(way, callers, len(items), time.perf_counter() - began, each))
    await triton.close()
    return found


async def _asked(ask: Callable[[str], Awaitable[None]], callers: int, pages: int) -> list[float]:
    """Seconds of every page; each caller asks so many, one after the other."""

    async def caller(number: int) -> list[float]:
        each = []
        for page in range(pages):
            began = time.perf_counter()
            await ask(f"{number}-{page}")
            each.append(time.perf_counter() - began)
        return each

    return [took for each in await asyncio.gather(*map(caller, range(callers))) for took in each]


def main() -> int:
    """Print everything."""
    options = _options()
    model = options.model or load_settings().price_folder()
    git = ["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"]
    sha = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    print(f"git {sha or 'unknown'}, argv {' '.join(sys.argv[1:]) or '(none)'}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.items} items a page")
    catalogue = shop(options.items)
    print(HEAD)
    print(bare(model, catalogue, options.pages), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        _serve(Path(folder), model, catalogue, options)
    return 0


def _serve(folder: Path, model: Path, catalogue: Catalogue, options: argparse.Namespace) -> None:
    from client.launcher.stack import Stack  # noqa: PLC0415  (only a bench starts servers)

    repository = folder / "repository"
    repository.mkdir()
    name = SESSION_PRICE.name
    (repository / name).symlink_to(REPOSITORY / "model_repository" / name)
    settings = Settings(
        state=folder / "state",
        price_model=str(model.resolve()),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )
    with Stack(settings, repository=repository, gateway=False) as stack:
        for callers in (1, 8):
            coming = served(stack.triton_address, catalogue, options.pages, callers)
            for times in asyncio.run(coming):
                print(times, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bls.phantom.pricing.bench", description=__doc__
    )
    parser.add_argument("--model", type=Path, help="folder of a version; default: what is served")
    parser.add_argument("--items", type=int, default=24, help="of a page")
    parser.add_argument("--pages", type=int, default=2_000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
