# SPDX-License-Identifier: Apache-2.0
"""Following a stream: sealing, torn ends, files that go, and numbers that rise for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bls import jsonlog
from bls.events.relay.place import Place
from bls.events.relay.tail import Tail
from bls.jsonlog import JsonLog

STREAM = "mpc.decisions"


def append(folder: Path, *lines: str) -> None:
    with (folder / STREAM).open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def seal(folder: Path, number: int) -> None:
    (folder / STREAM).rename(folder / f"{STREAM}.{number:06d}")


def taken(tail: Tail, limit: int = 1 << 16) -> list[tuple[int, str]]:
    """(seq, line) of everything there is."""
    found: list[tuple[int, str]] = []
    while (chunk := tail.read(limit)) is not None:
        found += zip(chunk.seqs, (line.decode() for line in chunk.lines), strict=True)
    return found


def words(found: list[tuple[int, str]]) -> list[str]:
    assert [seq for seq, _ in found] == sorted({seq for seq, _ in found})
    return [line for _, line in found]


@pytest.fixture
def tail(tmp_path: Path) -> Tail:
    return Tail(tmp_path, STREAM)


def test_lines_as_they_come_across_sealing(tmp_path: Path, tail: Tail) -> None:
    assert tail.read(99) is None
    found = []
    for number in range(1, 5):
        append(tmp_path, f"a{number}", f"b{number}")
        found += taken(tail)
        append(tmp_path, f"c{number}")
        seal(tmp_path, number)
        if number != 2:  # once two files were sealed between two looks
            found += taken(tail)
    append(tmp_path, "last")
    found += taken(tail)
    assert words(found) == [f"{x}{n}" for n in range(1, 5) for x in "abc"] + ["last"]
    assert Place.of(found[-1][0]) == Place(5, 5) and tail.dropped == tail.gaps == 0
    assert tail.read_lines == 13 and tail.lag == 0


@pytest.mark.parametrize("limit", [5, 6, 7, 100])
def test_a_torn_line_waits_for_its_rest(tmp_path: Path, tail: Tail, limit: int) -> None:
    append(tmp_path, "one")
    (tmp_path / STREAM).open("a").write("tw")
    assert words(taken(tail, limit)) == ["one"] and tail.lag == 2
    (tmp_path / STREAM).open("a").write("o\nthr")
    assert words(taken(tail, limit)) == ["two"]


def test_a_sealed_file_with_a_torn_end_holds_nothing_up(tmp_path: Path, tail: Tail) -> None:
    (tmp_path / STREAM).write_text("one\ntor")
    seal(tmp_path, 1)
    append(tmp_path, "two")
    assert words(taken(tail)) == ["one", "tor", "two"]


def test_a_line_longer_than_the_limit_comes_in_pieces(tmp_path: Path, tail: Tail) -> None:
    append(tmp_path, "x" * 25, "two")
    assert "".join(words(taken(tail, 10))) == "x" * 25 + "two"
    assert tail.read_lines == 2


def test_a_restored_tail_goes_on_where_it_was(tmp_path: Path, tail: Tail) -> None:
    append(tmp_path, "one", "two")
    seal(tmp_path, 1)
    append(tmp_path, "three", "four")
    first = tail.read(4)
    assert first is not None and first.lines == [b"one"]
    other = Tail(tmp_path, STREAM)
    other.restore(tail.state)
    assert words(taken(other)) == ["two", "three", "four"] and other.read_lines == 4


def test_lag_counts_what_waits(tmp_path: Path, tail: Tail) -> None:
    append(tmp_path, "one", "two")
    seal(tmp_path, 1)
    append(tmp_path, "three")
    assert tail.lag == 14
    tail.read(4)
    assert tail.lag == 10


def test_what_the_log_removed_unread_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlog, "_MAX_BYTES", 400)
    written, tail = 0, Tail(tmp_path, STREAM)
    found: list[str] = []
    for burst in (10, 300, 10, 500):
        log = JsonLog(tmp_path, 1_000)
        for _ in range(burst):
            log.write_many([(STREAM, {"n": written})])
            written += 1
        log.close()
        if burst == 10:
            found += words(taken(tail))
    state = tail.state
    tail = Tail(tmp_path, STREAM)  # the relay was away, too
    tail.restore(state)
    before = len(found)
    found += words(taken(tail))
    assert before < len(found) < written
    assert tail.read_lines == written
    first = Tail(tmp_path, STREAM)
    assert len(taken(first)) + first.dropped == written
    numbers = [int(word.removeprefix('{"n":').removesuffix("}")) for word in found]
    assert numbers == sorted(set(numbers)) and numbers[-1] == written - 1


def test_sealed_billing_files_that_went_unread_are_a_gap(tmp_path: Path, tail: Tail) -> None:
    for number in range(1, 4):
        append(tmp_path, f"line{number}")
        seal(tmp_path, number)
    assert words(taken(tail)) == ["line1", "line2", "line3"]
    for number in range(4, 6):
        append(tmp_path, f"line{number}")
        seal(tmp_path, number)
    (tmp_path / f"{STREAM}.000004").unlink()
    assert words(taken(tail)) == ["line5"] and tail.gaps == 1


def test_removing_what_was_read_is_no_gap(tmp_path: Path, tail: Tail) -> None:
    for number in range(1, 4):
        append(tmp_path, f"line{number}")
        seal(tmp_path, number)
    taken(tail)
    for number in (1, 2):
        (tmp_path / f"{STREAM}.{number:06d}").unlink()
    append(tmp_path, "more")
    other = Tail(tmp_path, STREAM)
    other.restore(tail.state)
    assert words(taken(other)) == ["more"] and other.gaps == other.dropped == 0


def test_numbers_rise_though_every_file_was_taken_away(tmp_path: Path, tail: Tail) -> None:
    for number in range(1, 4):
        append(tmp_path, "line")
        seal(tmp_path, number)
    highest = taken(tail)[-1][0]
    for path in tmp_path.iterdir():
        path.unlink()
    other = Tail(tmp_path, STREAM)
    other.restore(tail.state)
    assert other.read(99) is None
    append(tmp_path, "again")
    ((seq, line),) = taken(other)
    assert line == "again" and seq > highest
    third = Tail(tmp_path, STREAM)
    third.restore(other.state)
    append(tmp_path, "more")
    assert words(taken(third)) == ["more"]


def test_another_file_of_the_same_name_is_read_from_its_start(tmp_path: Path, tail: Tail) -> None:
    append(tmp_path, "a long line", "another")
    highest = taken(tail)[-1][0]
    os.truncate(tmp_path / STREAM, 0)
    append(tmp_path, "new")
    other = Tail(tmp_path, STREAM)
    other.restore(tail.state)
    ((seq, line),) = taken(other)
    assert line == "new" and seq > highest and other.gaps == 1


def test_seeking_back_counts_nothing_as_dropped(tmp_path: Path, tail: Tail) -> None:
    append(tmp_path, "one", "two")
    seal(tmp_path, 1)
    append(tmp_path, "three", "four")
    seqs = [seq for seq, _ in taken(tail)]
    tail.seek(Place.of(seqs[2]))
    assert tail.read_lines == 3 and words(taken(tail)) == ["four"]
    tail.seek(Place.of(0))
    assert words(taken(tail)) == ["one", "two", "three", "four"]
    (tmp_path / f"{STREAM}.000001").unlink()
    tail.seek(Place.of(0))
    assert words(taken(tail)) == ["three", "four"] and tail.dropped == 0
