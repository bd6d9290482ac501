# SPDX-License-Identifier: Apache-2.0
"""Which version of a model is to be served: the question a `ModelSlot` keeps asking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, Protocol

from export.manifest import MANIFEST_NAME, file_sha256

CURRENT = "current.json"


class Target(NamedTuple):
    """One version.

    Attributes:
        folder: where its files are; not read when there is a `uri`.
        sha256: of its `manifest.json`, which has the hashes of its other files.
        uri: where a model key says its files are; see `bls.models.places`.
    """

    version: str
    folder: Path
    sha256: str
    uri: str = ""


class Pointer(Protocol):
    """Called from the slot's own thread about twice a second; None when nothing is named.

    May raise `OSError` or `ValueError` when what names it cannot be read.
    """

    def __call__(self) -> Target | None: ...


class FolderPointer:
    """The version in `root` itself, or the one that `root/current.json` names.

    `current.json` is `{"folder": "...", "sha256": "..."}`, the folder beside it: replacing that
    one file by a rename changes the served version.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self) -> Target | None:
        try:
            raw = json.loads((self._root / CURRENT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return self._itself()
        if not isinstance(raw, dict) or not {"folder", "sha256"} <= raw.keys():
            raise ValueError(f"{CURRENT} names no folder and sha256")
        name = str(raw["folder"])
        if Path(name).name != name:
            raise ValueError(f"{CURRENT} names a folder elsewhere")
        return Target(name, self._root / name, str(raw["sha256"]))

    def _itself(self) -> Target | None:
        manifest = self._root / MANIFEST_NAME
        if not manifest.is_file():
            return None
        return Target(self._root.name, self._root, file_sha256(manifest))
