# SPDX-License-Identifier: Apache-2.0
"""Log streams: one file each, valid JSON lines, never blocking."""

from __future__ import annotations

import errno
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bls import jsonlog
from bls.jsonlog import JsonLog
from bls.settlement.segments import files, numbered

_FILE = JsonLog._file


def test_streams_become_files(tmp_path: Path) -> None:
    log = JsonLog(tmp_path, 100)
    for i in range(20):
        log.write("vcg.log", conv_id="c", token_idx=i)
    log.write("e2e.trace", text='line\nbreak "quoted"')
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "vcg.log").read_text().splitlines()]
    assert [line["token_idx"] for line in lines] == list(range(20))
    assert json.loads((tmp_path / "e2e.trace").read_text())["text"] == 'line\nbreak "quoted"'
    assert log.dropped == 0


def test_a_full_queue_drops_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr(JsonLog, "_file", lambda self, stream: held.wait() and self._real(stream))
    monkeypatch.setattr(JsonLog, "_real", _FILE, raising=False)
    log = JsonLog(tmp_path, 4)
    for i in range(10):
        log.write_many([("vcg.log", {"token_idx": i}), ("mixer.log", {"token_idx": i})])
    held.set()
    log.close()
    written = len((tmp_path / "vcg.log").read_text().splitlines())
    assert written >= 4 and log.dropped == 2 * (10 - written)


def test_full_files_are_sealed_and_the_newest_three_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlog, "_MAX_BYTES", 100)
    for start in (0, 100):  # numbers go on after a restart
        log = JsonLog(tmp_path, 1_000)
        for i in range(start, start + 100):
            log.write_many([("vcg.log", {"token_idx": i})])
        log.close()
    kept = numbered(tmp_path, "vcg.log")
    last = kept[-1][0]
    assert [number for number, _ in kept] == [last - 2, last - 1, last] and last > 10
    lines = [json.loads(x) for p in files(tmp_path, "vcg.log") for x in p.read_text().splitlines()]
    gone = jsonlog.removed_lines(tmp_path, "vcg.log")
    assert [line["token_idx"] for line in lines] == list(range(gone, 200))


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "vcg.log").write_bytes(b'{"token_idx":0}\n{"token_')
    log = JsonLog(tmp_path, 100)
    log.write_many([("vcg.log", {"token_idx": 1})])
    log.close()
    assert (tmp_path / "vcg.log").read_bytes().splitlines()[1:] == [b'{"token_', b'{"token_idx":1}']


def test_a_file_noted_as_removed_is_not_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the note and the removal."""
    monkeypatch.setattr(jsonlog, "_MAX_BYTES", 100)
    monkeypatch.setattr(jsonlog, "_KEPT", 1)
    for number, lines in ((1, 3), (2, 2)):
        (tmp_path / f"vcg.log.{number:06d}").write_bytes(b"{}\n" * lines)
    (tmp_path / "vcg.log").write_bytes(b"{}\n" * 40)
    (tmp_path / "vcg.log.removed").write_bytes(b'{"segment":1,"lines":3}')
    log = JsonLog(tmp_path, 10)
    log.write_many([("vcg.log", {})])
    log.write_many([("vcg.log", {})])
    log.close()
    assert [number for number, _ in numbered(tmp_path, "vcg.log")] == [3]
    assert jsonlog.removed_lines(tmp_path, "vcg.log") == 5


def test_what_cannot_be_written_is_dropped_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for a while, and a line that is no JSON."""
    log, real = JsonLog(tmp_path, 10), jsonlog.open_whole

    def full(path: Path) -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(jsonlog, "open_whole", full)
    log.write_many([("vcg.log", {"n": 0}), ("vcg.log", {"n": object()})])
    deadline = time.monotonic() + 5
    while log.dropped < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    monkeypatch.setattr(jsonlog, "open_whole", real)
    log.write_many([("vcg.log", {"n": 1})])
    log.close()
    assert log.dropped == 2 and (tmp_path / "vcg.log").read_bytes() == b'{"n":1}\n'


def test_lines_that_a_full_disk_did_not_take_are_counted() -> None:
    log = JsonLog(Path("/dev"), 10)
    log.write_many([("full", {"n": 0}), ("full", {"n": 1})])
    log.close()
    assert log.dropped == 2


def test_closing_does_not_wait_for_a_thread_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()

    def hang(self: JsonLog, stream: str) -> Any:
        held.wait(20)
        return _FILE(self, stream)

    monkeypatch.setattr(JsonLog, "_file", hang)
    monkeypatch.setattr(jsonlog, "_CLOSE_S", 0.05)
    log = JsonLog(tmp_path, 1)
    for _ in range(100):
        log.write("vcg.log")
    log.close()
    held.set()
