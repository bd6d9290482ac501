# SPDX-License-Identifier: Apache-2.0
"""Models swapped by their keys at full load: how long until a token uses them, and who noticed.

On a stack and in a state folder of its own: the keys it writes are nobody's.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bls.keys.entry import Entry
from bls.keys.store import open_store
from bls.models.model_key import PREDICTOR, TVE, ModelKey, model_key
from bls.models.served import served_id, served_name
from bls.settings import load_settings
from client.launcher.stack import Stack
from export.manifest import file_sha256
from perf_analyzer_configs.bench.figures import Figure, median
from perf_analyzer_configs.bench.load import read_reply
from perf_analyzer_configs.bench.shapes import request
from perf_analyzer_configs.bench.versions import another_version

READERS = 16
SWAPS = 20
_TOKENS = 16
_GOAL_S = 5.0
_PATIENCE_S = 60.0
_FIELDS = {PREDICTOR: "predictor", TVE: "tve"}
_BY_TURNS = tuple(_FIELDS)


def hot_swaps(swaps: int = SWAPS) -> list[Figure]:
    """Both models by turns, 16 replies streaming throughout."""
    with tempfile.TemporaryDirectory(prefix="swap-") as folder:
        ports = {"port": 0, "triton_grpc_port": 0, "triton_metrics_port": 0}
        changes: dict[str, Any] = {"state": Path(folder), "keys": "", "models": "", **ports}
        settings = dataclasses.replace(load_settings(), models_public_keys="", **changes)
        with Stack(settings) as stack:
            return asyncio.run(_run(stack, swaps))


async def _run(stack: Stack, swaps: int) -> list[Figure]:
    done = asyncio.Event()
    readers = [asyncio.create_task(_read(stack.gateway_url, n, done)) for n in range(READERS)]
    logs, loaded, used = stack.settings.logs, [], []
    decisions = _Tail(logs / "mpc.decisions")
    reloads = _Tail(logs / "model_reload.event")
    await _until(lambda: any(decisions.lines()))
    for number in range(swaps):
        subsystem = _BY_TURNS[number % len(_BY_TURNS)]
        sha256, written = _promote(stack, subsystem, f"v{number}")
        name = served_name(served_id(sha256))
        loaded.append(await _first(reloads, "new_sha", sha256) - written)
        used.append(await _first(decisions, _FIELDS[subsystem], name) - written)
    done.set()
    counts = await asyncio.gather(*readers)
    replies, failed = (sum(column) for column in zip(*counts, strict=True))
    what = f"{swaps} swaps of predictor and tve, {READERS} replies streaming"
    predictor = used[:: len(_BY_TURNS)]
    worst = max(loaded)
    return [
        Figure("hot swap, requests failed", failed, "requests", "0", failed == 0, _of(replies)),
        Figure("hot swap, key to model at work", worst, "s", "<= 5", worst <= _GOAL_S, what),
        Figure("hot swap, key to model at work, median", median(loaded), "s"),
        Figure("hot swap, key to a token's forecast", max(predictor), "s", "<= 5"),
        Figure(
            "hot swap, key to a token's value curve",
            max(used[1 :: len(_BY_TURNS)]),
            "s",
            detail="of a reply opened after the key",
        ),
    ]


def _of(replies: int) -> str:
    return f"of {replies}"


def _promote(stack: Stack, subsystem: str, version: str) -> tuple[str, float]:
    """Another version under the model's key: its SHA-256, and when, Unix seconds."""
    folder = another_version(stack.settings.models_folder, subsystem, version)
    sha256, key = file_sha256(folder / "manifest.json"), model_key(subsystem)
    store = open_store(stack.settings.key_store)
    value = ModelKey(version, folder.as_uri(), sha256).value()
    store.put(Entry.of(key, store.newest(key) + 1, int(time.time()), value))
    return sha256, time.time()


async def _read(url: str, reader: int, done: asyncio.Event) -> tuple[int, int]:
    """One reply after the other: how many, and how many failed."""
    replies = failed = 0
    names = ("alpine_rail", "harbor_hotels", "stride_shoes")
    while not done.is_set():
        bidders = [{"advertiser": name} for name in names]
        skynet = {"bidders": bidders, "conv_id": f"swap{reader}-{replies}"}
        stream = await read_reply(url, request(tokens=_TOKENS) | {"skynet": skynet})
        replies += 1
        failed += stream.failed
    return replies, failed


class _Tail:
    """Lines of a log as they come."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0
        self._rest = b""

    def lines(self) -> list[dict[str, Any]]:
        """Those since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            content = file.read()
        self._at += len(content)
        *whole, self._rest = (self._rest + content).split(b"\n")
        return [json.loads(line) for line in whole]


async def _first(tail: _Tail, field: str, value: str) -> float:
    """When the first line with this value was written, Unix seconds."""
    found: list[float] = []

    def there() -> bool:
        found.extend(line["ts"] for line in tail.lines() if line[field] == value)
        return bool(found)

    await _until(there)
    return min(found)


async def _until(true: Callable[[], bool]) -> None:
    stop = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > stop:
            raise RuntimeError("no token used the new model")
        await asyncio.sleep(0.02)
