# SPDX-License-Identifier: Apache-2.0
"""The folder store: whole values, rising versions, no links, a past that stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.keys.folder import FolderStore
from bls.keys.refusal import Reason, RefusedError
from bls.limits import LIMITS
from tests.keys.operators import KEY, unsigned


def path_of(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "mpc" / "params.json"


def refusal(store: FolderStore) -> Reason:
    with pytest.raises(RefusedError) as caught:
        store.get(KEY)
    return caught.value.reason


def test_what_lies_where(store: FolderStore, tmp_path: Path) -> None:
    store.put(unsigned(1, {"horizon": 2}))
    store.put(unsigned(5, {"horizon": 4}))
    assert path_of(tmp_path).stat().st_mode & 0o777 == 0o644
    names = {path.name for path in path_of(tmp_path).parent.iterdir()}
    assert names == {"params.json", "params.history"}


def test_history_leaves_out_what_is_not_an_entry(store: FolderStore, tmp_path: Path) -> None:
    store.put(unsigned(1, {}))
    history = path_of(tmp_path).with_suffix(".history")
    (history / "2.json").write_text("torn")
    (history / "3.json").write_bytes(unsigned(1, {}).encode())  # under another version
    (history / "notes.txt").write_text("x")
    assert store.history(KEY) == (unsigned(1, {}),)


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
