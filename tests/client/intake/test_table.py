# SPDX-License-Identifier: Apache-2.0
"""Files of products: separators, quotes, encodings, and rows that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.errors import SkynetError
from client.intake.faults import Fault
from client.intake.table import Row, Table


def rows(path: Path, content: bytes) -> list[Row]:
    path.write_bytes(content)
    return list(Table(path))


@pytest.mark.parametrize("separator", ["\t", ",", ";", "|"])
def test_the_separator_is_the_header_s(tmp_path: Path, separator: str) -> None:
    text = "\n".join(separator.join(row) for row in (("id", "title"), ("1", "Tent"), ("2", "Pan")))
    found = rows(tmp_path / "any.txt", text.encode())
    assert [row.cells for row in found] == [
        {"id": "1", "title": "Tent"},
        {"id": "2", "title": "Pan"},
    ]
    assert [row.line for row in found] == [2, 3]
    assert found[-1].share == 1.0


def test_quotes_hold_separators_and_newlines(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfid,title\r\n1,"A ""big"" tent,\r\nfor two"\r\n\r\n2,Pan\r\n'
    found = rows(tmp_path / "a.csv", content)
    assert found[0].cells == {"id": "1", "title": 'A "big" tent,\r\nfor two'}
    assert (found[0].line, found[1].line) == (3, 5), "the last line of a row; empty ones are none"


def test_a_row_that_cannot_be_read_is_left_out_and_the_next_is_read(tmp_path: Path) -> None:
    huge = b"x" * 200_000
    lines = [b"id,title", b"1,Tent,more", b"2", b"3,\xff\xfe", b"4," + huge, b"5,Pan"]
    found = rows(tmp_path / "a.csv", b"\n".join(lines))
    assert [row.fault for row in found] == [
        Fault.FIELDS,
        Fault.FIELDS,
        Fault.NOT_UTF8,
        Fault.UNREADABLE,
        None,
    ]
    assert [row.line for row in found] == [2, 3, 4, 5, 6]
    assert found[0].cells == {}


def test_a_quote_that_is_never_closed_costs_no_more_than_a_field(tmp_path: Path) -> None:
    lines = [b"id,title", b'1,"Tent', *(b"%d,Pan" % n for n in range(40_000))]
    found = rows(tmp_path / "a.csv", b"\n".join(lines))
    assert found[0].fault is Fault.UNREADABLE
    assert found[-1].cells == {"id": "39999", "title": "Pan"}


@pytest.mark.parametrize("content", [b"", b"\n", b"id,ID\n", b"\xff\xfe\x00", b",,\n"], ids=repr)
def test_what_is_no_table(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SkynetError) as caught:
        rows(tmp_path / "a.csv", content)
    assert caught.value.code == "bad_file" and str(tmp_path) not in caught.value.message


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(SkynetError, match="Cannot read"):
        Table(tmp_path)
