# SPDX-License-Identifier: Apache-2.0
"""Log streams: one file each, valid JSON lines, never blocking."""

from __future__ import annotations

import json
import threading
from pathlib import Path

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
