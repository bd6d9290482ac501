# SPDX-License-Identifier: Apache-2.0
"""Where the relay was, in one small file: written only after the broker has acknowledged."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

SOURCE = "source.id"
INGESTED = "ingested.json"


@dataclass
class Checkpoint:
    """`streams`: `Tail.state` by stream, as far as `cluster` has acknowledged it."""

    cluster: str = ""
    streams: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """From a file; empty when there is none, or none that can be read."""
        try:
            raw = orjson.loads(path.read_bytes())
            return cls(str(raw["cluster"]), dict(raw["streams"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """At once or not at all. Raises `OSError`."""
        new = path.with_name(path.name + ".new")
        new.write_bytes(orjson.dumps({"cluster": self.cluster, "streams": self.streams}))
        new.replace(path)


def source_id(folder: Path) -> str:
    """The folder's own id, made when first asked for. Raises `OSError`."""
    path = folder / SOURCE
    with suppress(FileNotFoundError):
        return path.read_text().strip()
    new = folder / f"{SOURCE}.{os.getpid()}"
    new.write_text(secrets.token_hex(8))
    with suppress(FileExistsError):
        os.link(new, path)
    new.unlink()
    return path.read_text().strip()


def ingested(folder: Path, topic: str, source: str) -> int:
    """Up to which seq the lake has a topic's events; 0 when nobody says."""
    try:
        raw: Any = orjson.loads((folder / INGESTED).read_bytes())
        return int(raw[topic][source])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
