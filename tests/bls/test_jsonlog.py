# SPDX-License-Identifier: Apache-2.0
"""Log streams: one file each, valid JSON lines, never blocking."""

from __future__ import annotations

import json
from pathlib import Path

from bls.jsonlog import JsonLog


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


def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    log = JsonLog(tmp_path, 4)
    log._listener.stop()  # nothing reads any more
    for i in range(10):
        log.write("vcg.log", token_idx=i)
    assert log.dropped == 6
