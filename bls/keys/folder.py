# SPDX-License-Identifier: Apache-2.0
"""A key store in a folder: `/mpc/params` is `mpc/params.json`; `mpc/params.history/` is its past.

A value is written to a temporary file, synced and renamed, so a reader sees the old or the new
one. Links and anything but plain files are refused: a key is what is in this folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bls.errors import SkynetError, invalid
from bls.keys.entry import KEY_PATTERN, Entry, decode
from bls.keys.refusal import Reason, RefusedError
from bls.keys.store import Stop
from bls.keys.watcher import Watcher
from bls.limits import LIMITS

_LINK = (errno.ELOOP, errno.ENOTDIR)
_PAST = re.compile(r"\.history/[^/]*\.json$")
_HISTORY_FILE = re.compile(r"([1-9][0-9]{0,15})\.json")


class FolderStore:
    """See `KeyStore`. One per process: it has one thread, which looks at every watched file."""

    def __init__(self, root: Path, period_s: float = LIMITS.key_poll_s) -> None:
        self._root = root
        self._watcher = Watcher(period_s)

    def get(self, key: str) -> Entry | None:
        raw = _read(self._root, _path(key))
        return None if raw is None else decode(raw, key)

    def put(self, entry: Entry) -> None:
        path = self._root / _path(entry.key)
        history = path.with_suffix(".history")
        try:
            history.mkdir(parents=True, exist_ok=True)
            with _locked(self._root):
                if entry.version <= self.newest(entry.key):
                    raise invalid("stale_version", "This version or a newer one exists already.")
                _write(history / f"{entry.version}.json", entry.encode())
                _write(path, entry.encode())
        except OSError as error:
            why = f"The key store cannot be written: {error.strerror}."
            raise SkynetError("keys_unwritable", why, 500) from None

    def history(self, key: str) -> tuple[Entry, ...]:
        found = {}
        for version in self._versions(key):
            with contextlib.suppress(RefusedError):
                past = _path(key).with_suffix(".history") / f"{version}.json"
                if (raw := _read(self._root, past)) and decode(raw, key).version == version:
                    found[version] = decode(raw, key)
        with contextlib.suppress(RefusedError):
            if (live := self.get(key)) is not None:
                found.setdefault(live.version, live)
        return tuple(found[version] for version in sorted(found))

    def newest(self, key: str) -> int:
        try:
            live = self.get(key)
        except RefusedError:
            live = None
        return max([*self._versions(key), live.version if live else 0])

    def watch(self, key: str, changed: Callable[[], bool]) -> Stop:
        path = self._root / _path(key)
        return self._watcher.add(lambda: _mark(path), changed)

    def names(self) -> tuple[str, ...]:
        files = (str(path.relative_to(self._root)) for path in self._root.rglob("*.json"))
        found = {"/" + _PAST.sub(".json", file).removesuffix(".json") for file in files}
        return tuple(sorted(key for key in found if KEY_PATTERN.fullmatch(key)))

    def close(self) -> None:
        """Stop watching."""
        self._watcher.close()

    def _versions(self, key: str) -> list[int]:
        folder = (self._root / _path(key)).with_suffix(".history")
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return sorted(int(m[1]) for name in names if (m := _HISTORY_FILE.fullmatch(name)))


def _path(key: str) -> Path:
    """The file of a key below the root. Raises `bad_key`."""
    if not KEY_PATTERN.fullmatch(key):
        raise invalid("bad_key", "A key looks like /mpc/params.")
    return Path(key[1:] + ".json")


def _mark(path: Path) -> tuple[int, ...] | None:
    """Changes whenever the file does."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_ctime_ns, found.st_mode


def _read(root: Path, path: Path) -> bytes | None:
    """Bytes of a plain file below `root`, one more than the limit at most; None without a file."""
    try:
        with _opened(root, path) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RefusedError(Reason.NOT_A_FILE)
            with os.fdopen(os.dup(descriptor), "rb") as file:
                return file.read(LIMITS.key_bytes + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RefusedError(
            Reason.NOT_A_FILE if error.errno in _LINK else Reason.UNREADABLE
        ) from None


@contextmanager
def _opened(root: Path, path: Path) -> Iterator[int]:
    """Descriptor of `root/path`, no step of `path` being a link."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number, part in enumerate(path.parts, 1):
            folder = os.O_DIRECTORY if number < len(path.parts) else os.O_NONBLOCK
            step = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | folder, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = step
        yield descriptor
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes) -> None:
    """Replace `path` in one step that survives a crash."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One writer at a time, also among processes."""
    with (root / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
