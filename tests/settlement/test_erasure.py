# SPDX-License-Identifier: Apache-2.0
"""Records erased by request: the content is gone, the chain holds, nothing else may be touched."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.settlement import erasure
from bls.settlement.chain import GENESIS, digest, plain_link, seal, split
from bls.settlement.erased import digest_of, erase
from bls.settlement.erasure import ErasedLines, erase_records, seal_active
from bls.settlement.faults import Fault, Faults
from bls.settlement.ledger import SEAL, Ledger
from bls.settlement.reader import Reader
from bls.settlement.recompute import settle
from bls.settlement.record import BIDS, RECEIPTS, STREAMS, VCG
from bls.settlement.replay import replay
from bls.settlement.segments import Appender, files, sealed
from client.commands.settle import report
from tests.settlement.workshop import Workshop, write

Make = Callable[..., Workshop]


def refuse(fault: Exception) -> None:
    raise AssertionError(fault)


def forget(folder: Path, conv_id: str, **options: float) -> ErasedLines:
    return erase_records(
        folder, lambda record: record["conv_id"] == conv_id, [conv_id], "gdpr_1", **options
    )  # type: ignore[arg-type]


def offsets(folder: Path) -> dict[str, list[int]]:
    return {
        s: [len(x) for p in files(folder, s) for x in p.read_bytes().split(b"\n")] for s in STREAMS
    }


def test_content_goes_and_bills_of_the_others_stand(tmp_path: Path, workshop: Make) -> None:
    shop = workshop()
    for tokens in (5, 4, 6):
        write(tmp_path, shop.reply(tokens))
    before, total = offsets(tmp_path), settle(tmp_path)
    done = forget(tmp_path, "conv-2")
    assert done.lines == {BIDS: 4, VCG: 4, RECEIPTS: 1} and done.files == 3 and done.left == 0
    assert all(b"conv-2" not in p.read_bytes() for s in STREAMS for p in files(tmp_path, s))
    assert {s: [n for n in lengths if n] for s, lengths in offsets(tmp_path).items()} == {
        s: [n for n in lengths if n] for s, lengths in before.items()
    }, "a place in a file is still the place of its line"
    result = settle(tmp_path)
    assert result.ok and not result.faults.counts and result.heads == total.heads
    assert result.tokens == 11 and result.receipts == 2
    assert result.erased == {BIDS: 4, VCG: 4, RECEIPTS: 1}
    assert "erased by request: 4 of auction.bids" in report(result)
    audit = replay(tmp_path, tmp_path / "audit.csv")
    assert audit.ok and audit.tokens == 11


def test_a_stream_with_a_writer_of_its_own_is_changed_in_place(tmp_path: Path) -> None:
    """Its writer holds the file open and goes on; sealed files are replaced as always."""
    appender = Appender(tmp_path, "click.logs", 1 << 20)

    def click(number: int, conv: str) -> None:
        body = {"v": 1, "ts": 1e9, "conv_id": conv, "request_id": "r", "advertiser": "a"}
        appender.add([orjson.dumps(body | {"token_idx": number, "dwell_ms": 12345})])
        appender.write()

    for number in range(6):
        click(number, f"conv-{number % 2}")
        if number == 2:
            appender.seal()
    size = (tmp_path / "click.logs").stat().st_size
    done = erase_records(
        tmp_path,
        lambda record: record["conv_id"] == "conv-1",
        ['"conv-1"'],
        "gdpr_1",
        own_writer=["click.logs"],
    )
    assert (done.lines, done.files, done.left) == ({"click.logs": 3}, 2, 0)
    assert (tmp_path / "click.logs").stat().st_size == size
    click(6, "conv-1")
    appender.close()
    faults = Faults()
    reader = Reader(tmp_path, faults)
    found = [record["token_idx"] for record in reader.lines("click.logs")]
    assert found == [0, 2, 4, 6] and not faults.counts and reader.erased == {"click.logs": 3}


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_file_sealed_meanwhile_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    """Sealed after it was listed, before it is opened: its name is another file's, or nobody's."""
    appender = Appender(tmp_path, "click.logs", 1 << 20)
    body = {"v": 1, "ts": 1e9, "conv_id": "conv-1", "request_id": "r", "advertiser": "a"}
    listed: list[list[Path]] = []

    def click() -> None:
        appender.add([orjson.dumps(body | {"dwell_ms": 12345})])
        appender.write()

    def then_seal(folder: Path, stream: str) -> list[Path]:
        listed.append(files(folder, stream))
        if len(listed) == 1:
            appender.seal()
            if goes_on:
                click()
            else:
                (folder / stream).unlink()
        return listed[-1]

    click()
    monkeypatch.setattr(erasure, "files", then_seal)
    done = erase_records(
        tmp_path, lambda _: True, ['"conv-1"'], "gdpr_1", streams=(), own_writer=["click.logs"]
    )
    appender.close()
    assert done.left == 0 and done.lines == {"click.logs": 1 + goes_on}
    assert all(b"12345" not in path.read_bytes() for path in files(tmp_path, "click.logs"))


def test_again_changes_nothing(tmp_path: Path, workshop: Make) -> None:
    shop = workshop()
    write(tmp_path, [*shop.reply(3), *shop.reply(3)])
    forget(tmp_path, "conv-1")
    content = {p.name: p.read_bytes() for s in STREAMS for p in files(tmp_path, s)}
    assert forget(tmp_path, "conv-1") == ErasedLines()
    assert content == {p.name: p.read_bytes() for s in STREAMS for p in files(tmp_path, s)}
    assert forget(tmp_path / "nowhere", "conv-1") == ErasedLines()


def test_a_server_that_runs_seals_when_asked_and_goes_on(tmp_path: Path, workshop: Make) -> None:
    limits = dataclasses.replace(LIMITS, ledger_sync_s=0.1)
    ledger = Ledger(tmp_path, refuse, limits)
    shop, stop = workshop(), threading.Event()
    for record in shop.reply(5):
        ledger.put(record)
    while ledger.lag:
        time.sleep(0.01)

    def traffic() -> None:
        while not stop.is_set():
            for record in shop.reply(2):
                ledger.put(record)
            time.sleep(0.01)

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        done = forget(tmp_path, "conv-1")
        assert done.lines == {BIDS: 5, VCG: 5, RECEIPTS: 1}
        time.sleep(0.2)
    finally:
        stop.set()
        thread.join()
        ledger.close()
    assert len(sealed(tmp_path, VCG)) == 1 and not (tmp_path / SEAL).exists()
    result = settle(tmp_path)
    assert result.ok and not result.faults.counts and result.receipts == shop.made - 1


def test_a_server_that_does_not_answer_is_told_of(tmp_path: Path, workshop: Make) -> None:
    ledger = Ledger(tmp_path, refuse, dataclasses.replace(LIMITS, ledger_sync_s=60.0))
    for record in workshop().reply(2):
        ledger.put(record)
    while ledger.lag:
        time.sleep(0.01)
    with pytest.raises(SkynetError) as caught:
        forget(tmp_path, "conv-1", wait_s=0.2)
    assert caught.value.code == "ledger_busy" and not (tmp_path / SEAL).exists()
    ledger.close()
    assert forget(tmp_path, "conv-1").lines[VCG] == 2, "it ended: now we seal"


@pytest.mark.parametrize("stream", [BIDS, VCG, RECEIPTS])
def test_editing_anything_else_is_still_found(tmp_path: Path, workshop: Make, stream: str) -> None:
    shop = workshop()
    write(tmp_path, [*shop.reply(3), *shop.reply(3), *shop.reply(3)])
    forget(tmp_path, "conv-2")
    (path,) = sealed(tmp_path, stream)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"conv_id":"conv-3"', b'"conv_id":"conv-4"', 1))
    assert Fault.BROKEN_CHAIN in settle(tmp_path).faults.counts
    lines = whole.split(b"\n")
    (place,) = [i for i, line in enumerate(lines) if b'"erased"' in line][:1]
    hashed = digest_of(split(lines[place])[0])  # type: ignore[index, arg-type]
    path.write_bytes(whole.replace(hashed.encode(), b"0" * 32))  # type: ignore[union-attr]
    assert settle(tmp_path).faults.counts[Fault.BROKEN_CHAIN] >= 1, "the hash it left"
    path.write_bytes(b"\n".join(lines[:place] + lines[place + 1 :]))
    assert settle(tmp_path).faults.counts[Fault.BROKEN_CHAIN] == 1, "an erased line taken out"


def test_erasing_only_a_part_of_a_reply_puts_its_bill_in_doubt(
    tmp_path: Path, workshop: Make
) -> None:
    write(tmp_path, workshop().reply(3))
    erase_records(
        tmp_path, lambda r: r["token_idx"] == 1, ["conv-1"], "gdpr_1", streams=[BIDS, VCG]
    )
    assert settle(tmp_path).faults.counts == {Fault.MISSING: 1, Fault.MISMATCH: 3} or (
        not settle(tmp_path).ok
    )


def test_a_torn_line_of_the_conversation_goes_too(tmp_path: Path, workshop: Make) -> None:
    shop = workshop()
    write(tmp_path, shop.reply(2))
    for stream in STREAMS:
        file = tmp_path / stream
        file.write_bytes(file.read_bytes()[:-40])
    write(tmp_path, shop.reply(2))
    forget(tmp_path, "conv-1")
    assert all(b"conv-1" not in p.read_bytes() for s in STREAMS for p in files(tmp_path, s))
    faults = Faults()
    assert len(list(Reader(tmp_path, faults).lines(VCG))) == 2
    assert faults.counts == {Fault.TORN: 1}


def test_lines_of_the_former_chain_are_read_but_not_erased(tmp_path: Path, workshop: Make) -> None:
    write(tmp_path, workshop().reply(3))
    for stream in STREAMS:
        chain, lines = GENESIS, []
        for line in (tmp_path / stream).read_bytes().splitlines():
            body = split(line)[0]  # type: ignore[index]
            chain = plain_link(chain, body)
            lines.append(seal(body, chain))
        (tmp_path / stream).write_bytes(b"".join(lines))
    assert settle(tmp_path).ok and not settle(tmp_path).faults.counts
    with pytest.raises(SkynetError) as caught:
        forget(tmp_path, "conv-1")
    assert caught.value.code == "old_chain"
    assert settle(tmp_path).ok


def test_numbers_rise_after_the_oldest_files_are_removed(tmp_path: Path, workshop: Make) -> None:
    shop = workshop()
    for _ in range(4):
        write(tmp_path, shop.reply(2))
        seal_active(tmp_path)
    for stream in STREAMS:
        for path in sealed(tmp_path, stream)[:3]:
            path.unlink()
    limits = dataclasses.replace(LIMITS, ledger_segment_bytes=1)
    ledger = Ledger(tmp_path, refuse, limits)
    for record in shop.reply(2):
        ledger.put(record)
    ledger.close()
    names = [path.name for path in sealed(tmp_path, VCG)]
    assert names[:2] == ["auction.vcg.000004", "auction.vcg.000005"]
    assert settle(tmp_path).ok


def test_an_erased_body_has_its_length_and_hash() -> None:
    body = orjson.dumps({"v": 1, "conv_id": "c" * 60, "request_id": "r"})
    left = erase(body, "gdpr_1")
    assert len(left) == len(body) and orjson.loads(left).keys() == {"erased", "audit"}
    assert digest_of(left) == digest(body) and digest_of(body) is None
    assert erase(left, "gdpr_2") == left
    with pytest.raises(SkynetError) as caught:
        erase(b'{"v":1}', "gdpr_1")
    assert caught.value.code == "line_too_short"


KILLED = """
import sys
from pathlib import Path
from bls.settlement import erasure
real = erasure._replace
count = 0
def slow(path, text):
    global count
    count += 1
    if count == int(sys.argv[2]):
        path.with_name(path.name + ".erasing").write_bytes(text[: len(text) // 2])
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    real(path, text)
erasure._replace = slow
erasure.erase_records(Path(sys.argv[1]), lambda r: r["conv_id"] == "conv-1", ["conv-1"], "gdpr_1")
"""


@pytest.mark.parametrize("at", [1, 3])
def test_a_crash_in_the_middle_is_finished_by_doing_it_again(
    tmp_path: Path, workshop: Make, at: int
) -> None:
    shop = workshop()
    write(tmp_path, [*shop.reply(3), *shop.reply(3)])
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(at)]
    ended = subprocess.run(
        command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    done = forget(tmp_path, "conv-1")
    assert done.files == len(STREAMS) - (at - 1) and done.left == 0
    result = settle(tmp_path)
    assert result.ok and not result.faults.counts and result.receipts == 1
    assert not list(tmp_path.glob("*.erasing"))
