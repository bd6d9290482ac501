# SPDX-License-Identifier: Apache-2.0
"""The folder store: whole values, rising versions, no links, a past that stays."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.keys.folder import FolderStore
from bls.keys.refusal import Reason, RefusedError
from bls.limits import LIMITS
from tests.keys.operators import KEY, unsigned, wait_until


def path_of(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "mpc" / "params.json"


def refusal(store: FolderStore) -> Reason:
    with pytest.raises(RefusedError) as caught:
        store.get(KEY)
    return caught.value.reason


def test_put_get_history(store: FolderStore, tmp_path: Path) -> None:
    assert store.get(KEY) is None and store.history(KEY) == ()
    first, second = unsigned(1, {"horizon": 2}), unsigned(5, {"horizon": 4})
    store.put(first)
    store.put(second)
    assert store.get(KEY) == second and store.history(KEY) == (first, second)
    assert path_of(tmp_path).stat().st_mode & 0o777 == 0o644
    names = {path.name for path in path_of(tmp_path).parent.iterdir()}
    assert names == {"params.json", "params.history"}


@pytest.mark.parametrize("version", [3, 5])
def test_versions_only_rise(store: FolderStore, version: int) -> None:
    store.put(unsigned(5, {}))
    with pytest.raises(SkynetError) as caught:
        store.put(unsigned(version, {"horizon": 1}))
    assert caught.value.code == "stale_version"


def test_a_removed_value_does_not_free_its_version(store: FolderStore, tmp_path: Path) -> None:
    store.put(unsigned(2, {}))
    path_of(tmp_path).unlink()
    with pytest.raises(SkynetError):
        store.put(unsigned(2, {}))
    assert store.history(KEY) == (unsigned(2, {}),)


def test_history_leaves_out_what_is_not_an_entry(store: FolderStore, tmp_path: Path) -> None:
    store.put(unsigned(1, {}))
    history = path_of(tmp_path).with_suffix(".history")
    (history / "2.json").write_text("torn")
    (history / "3.json").write_bytes(unsigned(1, {}).encode())  # under another version
    (history / "notes.txt").write_text("x")
    assert store.history(KEY) == (unsigned(1, {}),)


@pytest.mark.parametrize("key", ["", "mpc", "/", "/../x", "/mpc/", "/Mpc", "/mpc//params", "/a\n"])
def test_keys_that_are_none(store: FolderStore, key: str) -> None:
    with pytest.raises(SkynetError) as caught:
        store.get(key)
    assert caught.value.code == "bad_key"


def test_links_folders_and_pipes_are_refused(store: FolderStore, tmp_path: Path) -> None:
    path, other = path_of(tmp_path), tmp_path / "other.json"
    other.write_bytes(unsigned(9, {}).encode())
    path.parent.mkdir(parents=True)
    path.symlink_to(other)
    assert refusal(store) is Reason.NOT_A_FILE
    path.unlink()
    path.mkdir()
    assert refusal(store) is Reason.NOT_A_FILE
    path.rmdir()
    os.mkfifo(path)
    assert refusal(store) is Reason.NOT_A_FILE


def test_a_linked_folder_below_the_root_is_refused(store: FolderStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "params.json").write_bytes(unsigned(9, {}).encode())
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "mpc").symlink_to(elsewhere)
    assert refusal(store) is Reason.NOT_A_FILE


def test_a_huge_file_is_not_read_whole(store: FolderStore, tmp_path: Path) -> None:
    path_of(tmp_path).parent.mkdir(parents=True)
    with path_of(tmp_path).open("wb") as file:
        file.truncate(1 << 40)  # sparse: reading it would take minutes
    assert refusal(store) is Reason.TOO_LARGE
    path_of(tmp_path).write_bytes(b" " * LIMITS.key_bytes)
    assert refusal(store) is Reason.MALFORMED


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SkynetError) as caught:
        FolderStore(tmp_path / "file").put(unsigned(1, {}))
    assert caught.value.code == "keys_unwritable"


def test_readers_see_the_old_value_or_the_new(store: FolderStore) -> None:
    store.put(unsigned(1, {"text": "x" * 1_000}))
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            entry = store.get(KEY)
            assert entry is not None
            seen.add(entry.version)

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(2, 40):
        store.put(unsigned(version, {"text": "x" * (1_000 + version)}))
    stop.set()
    reader.join()
    assert seen <= set(range(1, 40)) and seen


def test_watch_tells_of_changes_until_stopped(store: FolderStore) -> None:
    told: list[int] = []

    def changed() -> bool:
        told.append(1)
        return len(told) != 1  # the first time: ask again

    stop = store.watch(KEY, changed)
    store.put(unsigned(1, {}))
    assert wait_until(lambda: len(told) == 2)
    stop()
    store.put(unsigned(2, {}))
    other = store.watch("/tve/model", lambda: told.append(2) or True)
    store.put(unsigned(1, {}, "/tve/model"))
    assert wait_until(lambda: 2 in told)
    other()
    assert told.count(1) == 2
