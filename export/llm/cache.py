# SPDX-License-Identifier: Apache-2.0
"""A content-addressed folder of models: one exporter at a time, all of a model or nothing of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import ExportError
from export.manifest import LLMManifest

POINTER = "current.json"


def is_intact(folder: Path) -> bool:
    """Whether `folder` holds a model whose files all match their manifest."""
    try:
        LLMManifest.load(folder, verify=True)
    except ExportError:
        return False
    return True


def publish(root: Path, key: str, build: Callable[[Path], None], force: bool = False) -> Path:
    """Return `root/key`, building it first where it is absent or damaged.

    `build` fills a temporary folder, which is flushed to disk and renamed: a crash leaves nothing
    that looks like a model. Exporters of the same key, in any process, take turns.
    """
    folder = root / key
    if not force and is_intact(folder):
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f".lock-{key}"):
        if not force and is_intact(folder):
            return folder
        temporary = root / f".tmp-{key}"  # ours alone while the lock is held
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            build(temporary)
            _replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def set_current(root: Path, key: str) -> None:
    """Point `root/current.json` at a model, atomically."""
    temporary = root / f".{POINTER}.{os.getpid()}"
    temporary.write_text(json.dumps({"folder": key}) + "\n", encoding="utf-8")
    _flush(temporary)
    temporary.replace(root / POINTER)


def get_current(root: Path) -> Path:
    """The folder that `current.json` names; raises `pointer_missing` or `pointer_invalid`."""
    try:
        key = json.loads((root / POINTER).read_text(encoding="utf-8"))["folder"]
    except FileNotFoundError:
        raise ExportError("pointer_missing", "no LLM exported yet: python -m export.llm") from None
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ExportError("pointer_invalid", f"{POINTER} is not readable") from None
    if not isinstance(key, str) or not key.isalnum():
        raise ExportError("pointer_invalid", f"{POINTER} names no model folder")
    return root / key


def _replace(temporary: Path, folder: Path) -> None:
    for file in temporary.iterdir():
        _flush(file)
    _flush(temporary)
    if folder.exists():
        damaged = folder.with_name(f".old-{folder.name}")
        shutil.rmtree(damaged, ignore_errors=True)
        folder.rename(damaged)
        temporary.rename(folder)
        shutil.rmtree(damaged, ignore_errors=True)
    else:
        temporary.rename(folder)
    _flush(folder.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An advisory lock that the kernel drops with the process that held it."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
