# SPDX-License-Identifier: Apache-2.0
"""The append-only writer: nothing lost, nothing twice, bounded, alone, and honest after a crash."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.settlement import ledger as module
from bls.settlement.faults import Fault, Faults
from bls.settlement.ledger import Ledger
from bls.settlement.reader import Reader
from bls.settlement.record import BIDS, RECEIPTS, STREAMS, VCG, ReceiptRecord, Record
from bls.settlement.segments import files
from tests.settlement.workshop import Workshop, write

Make = Callable[..., Workshop]


def refuse(fault: Exception) -> None:
    raise AssertionError(fault)


def indices(folder: Path, stream: str, faults: Faults | None = None) -> list[int]:
    reader = Reader(folder, faults if faults is not None else Faults())
    return [record["token_idx"] for record in reader.lines(stream)]


def test_every_stream_in_order(tmp_path: Path, workshop: Make) -> None:
    write(tmp_path, [*workshop().reply(30), *workshop(rows=2).reply(20)])
    faults = Faults()
    for stream in (BIDS, VCG):
        assert indices(tmp_path, stream, faults) == [*range(30), *range(20)]
    assert len(list(Reader(tmp_path, faults).lines(RECEIPTS))) == 2
    assert not faults.counts


def test_records_are_readable_while_the_server_runs(tmp_path: Path, workshop: Make) -> None:
    ledger = Ledger(tmp_path, refuse)
    for record in workshop().reply(5):
        ledger.put(record)
    deadline = time.monotonic() + 5
    while ledger.lag:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert indices(tmp_path, VCG) == [0, 1, 2, 3, 4]
    ledger.close()


def test_a_restart_goes_on_with_the_chain(tmp_path: Path, workshop: Make) -> None:
    shop = workshop()
    for _ in range(3):
        write(tmp_path, shop.reply(4))
    faults = Faults()
    assert indices(tmp_path, VCG, faults) == [0, 1, 2, 3] * 3
    assert not faults.counts


def test_full_files_are_sealed_and_kept(tmp_path: Path, workshop: Make) -> None:
    """Unlike a debug log nothing is ever rotated away; a restart goes on counting."""
    limits = dataclasses.replace(LIMITS, ledger_segment_bytes=4_000)
    shop = workshop()
    for _ in range(2):
        ledger = Ledger(tmp_path, refuse, limits)
        for record in shop.reply(40):
            ledger.put(record)
            time.sleep(0.003)
        ledger.close()
    names = [path.name for path in files(tmp_path, VCG)]
    assert len(names) > 4 and names[0] == "auction.vcg.000001"
    faults = Faults()
    assert indices(tmp_path, VCG, faults) == [*range(40)] * 2
    assert not faults.counts
    (tmp_path / names[0]).unlink()  # retention: the rest is still verifiable
    rest = indices(tmp_path, VCG, faults)
    assert 0 < len(rest) < 80 and not faults.counts


class Disk:
    """Stands in for `os.write`: refuses while full, or takes a few bytes at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.most: int | None = None
        self._write = os.write
        monkeypatch.setattr("bls.settlement.segments.os.write", self.write)
        monkeypatch.setattr(module, "_RETRY_S", 0.02)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "no space")
        return self._write(descriptor, data[: self.most])


def test_a_full_disk_blocks_then_refuses_and_loses_nothing(
    tmp_path: Path, workshop: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = dataclasses.replace(LIMITS, ledger_queue=8, ledger_wait_s=0.2)
    disk, told = Disk(monkeypatch), []
    ledger = Ledger(tmp_path, told.append, limits)
    disk.full = True
    records = workshop().reply(20)[:-1]
    for record in records[:8]:
        ledger.put(record)
    began = time.monotonic()
    with pytest.raises(SkynetError) as caught:
        ledger.put(records[8])
    assert caught.value.code == "ledger_stalled" and time.monotonic() - began >= 0.2
    assert ledger.lag == 8 and len(told) == 1
    disk.full = False
    for record in records[8:]:
        ledger.put(record)
    ledger.close()
    faults = Faults()
    assert indices(tmp_path, VCG, faults) == [*range(20)] and not faults.counts


def test_a_blocked_reply_goes_on_when_there_is_room(
    tmp_path: Path, workshop: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = dataclasses.replace(LIMITS, ledger_queue=4, ledger_wait_s=10)
    disk = Disk(monkeypatch)
    ledger = Ledger(tmp_path, lambda fault: None, limits)
    disk.full = True
    threading.Timer(0.2, lambda: setattr(disk, "full", False)).start()
    for record in workshop().reply(12):
        ledger.put(record)
    ledger.close()
    assert indices(tmp_path, VCG) == [*range(12)]


def test_partial_writes_are_finished_once(
    tmp_path: Path, workshop: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch).most = 37
    write(tmp_path, workshop().reply(6))
    faults = Faults()
    assert indices(tmp_path, BIDS, faults) == [*range(6)] and not faults.counts


def test_a_record_that_cannot_be_encoded_takes_no_other_along(
    tmp_path: Path, workshop: Make
) -> None:
    told: list[Exception] = []
    ledger = Ledger(tmp_path, told.append)
    records = workshop().reply(4)
    broken: Record = ReceiptRecord(0.0, {"conv_id": object()})
    for record in (*records[:2], broken, *records[2:]):
        ledger.put(record)
    ledger.close()
    assert ledger.lost == 1 and len(told) == 1
    assert indices(tmp_path, VCG) == [0, 1, 2, 3]


def test_one_writer_per_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_WAIT_S", 0.1)
    first = Ledger(tmp_path, refuse)
    with pytest.raises(SkynetError) as caught:
        Ledger(tmp_path, refuse)
    assert caught.value.code == "ledger_locked"
    first.close()
    Ledger(tmp_path, refuse).close()


@pytest.mark.parametrize("keep", [1, 200, -2, -1])
def test_a_torn_last_line_is_reported_and_the_chain_goes_on(
    tmp_path: Path, workshop: Make, keep: int
) -> None:
    """A crash cut the last line after `keep` bytes of it; -1: only its newline is gone."""
    shop = workshop()
    write(tmp_path, shop.reply(3))
    for stream in STREAMS:
        file = tmp_path / stream
        *lines, last = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines) + last[:keep])
    write(tmp_path, shop.reply(3))
    faults = Faults()
    whole = keep == -1
    assert indices(tmp_path, VCG, faults) == [0, 1, *([2] if whole else []), 0, 1, 2]
    assert faults.counts == ({} if whole else {Fault.TORN: 1})


CRASHING = """
import sys, time
from pathlib import Path
import numpy as np
from kernels_cuda.auction import Auction
from bls.settlement.ledger import Ledger
from tests.settlement.workshop import Workshop
records = Workshop(np.random.default_rng(0), Auction()).reply(5000)
ledger = Ledger(Path(sys.argv[1]), print)
print("writing", flush=True)
for record in records:
    ledger.put(record)
    time.sleep(0.0002)
"""


def test_a_killed_process_leaves_a_prefix(tmp_path: Path) -> None:
    """SIGKILL at some point: what is there has no gap, no double and an intact chain."""
    command = [sys.executable, "-c", CRASHING, str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=root, env=environment
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
    faults = Faults()
    found = indices(tmp_path, VCG, faults)
    assert 100 < len(found) < 5_000 and found == [*range(len(found))]
    assert set(faults.counts) <= {Fault.TORN}
    Ledger(tmp_path, refuse).close()  # the lock died with its process


def test_the_queue_is_drained_at_a_steady_rate(tmp_path: Path, workshop: Make) -> None:
    """Far more than a server's replies make: the queue never fills and nothing is left."""
    records = workshop().reply(500)[:-1]
    ledger = Ledger(tmp_path, refuse)
    most, began = 0, time.monotonic()
    for batch in range(100):
        for record in records[:50]:
            ledger.put(record)
        most = max(most, ledger.lag)
        time.sleep(max(0.0, began + (batch + 1) * 0.01 - time.monotonic()))
    ledger.close()
    assert ledger.lag == 0 and most < LIMITS.ledger_queue / 2
    assert len(indices(tmp_path, BIDS)) == 5_000


@pytest.mark.spec("AUC-C-03")
def test_sixty_thousand_tokens_at_full_speed(tmp_path: Path, workshop: Make) -> None:
    """A load generator as fast as it can, in the seed's record (two rows): the queue stays within
    its bound, nothing is lost and nothing is left. How fast that is, `make bench` measures."""
    records = workshop(rows=2).reply(1_000)[:-1]
    ledger = Ledger(tmp_path, refuse)
    most = 0
    for number in range(60_000):
        ledger.put(records[number % 1_000])
        if number % 100 == 0:
            most = max(most, ledger.lag)
    ledger.close()
    assert ledger.lag == 0 and 0 < most <= LIMITS.ledger_queue
    for stream in (BIDS, VCG):
        assert sum(file.read_bytes().count(b"\n") for file in files(tmp_path, stream)) == 60_000
