# SPDX-License-Identifier: Apache-2.0
"""Files of sessions: what is written is read again, and a bad line is named."""

import gzip
import json
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.phantom.recorded import from_line, read_sessions, to_line, write_sessions
from bls.phantom.session import Quote, Session, SessionEvent

SESSION = Session(
    "s1",
    "hotel",
    1_000,
    (SessionEvent("page_view", "", 1_000), SessionEvent("hover_title", "h01", 1_500, 300)),
    (Quote("h01", 90_000_000, 1_000),),
    "trial",
    "surge",
    "synthetic",
    "exhaustive",
    "agent",
    "ab" * 32,
)
PLAIN = Session("s2", "airline", 5, ())


@pytest.mark.spec("PH-07")
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_round_trip_and_same_bytes(tmp_path: Path, name: str) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        assert write_sessions(tmp_path / folder / name, [SESSION, PLAIN]) == 2
    first = (tmp_path / "x" / name).read_bytes()
    assert first == (tmp_path / "y" / name).read_bytes()
    assert (first[:2] == b"\x1f\x8b") == name.endswith(".gz")
    assert list(read_sessions(tmp_path / "x" / name)) == [SESSION, PLAIN]


def test_defaults_are_left_out() -> None:
    assert json.loads(to_line(PLAIN)).keys() == {"sid", "mode", "start_ms", "events"}


@pytest.mark.spec("PH-07")
@pytest.mark.parametrize(
    "change",
    [
        {"sid": ""},
        {"sid": 7},
        {"mode": "train"},
        {"start_ms": -1},
        {"start_ms": 1.5},
        {"events": {}},
        {"events": [["page_view", "", 1]]},
        {"events": ["page_view"]},
        {"events": [["dance", "", 1, 0]]},
        {"events": [[[], "", 1, 0]]},
        {"events": [["page_view", "", True, 0]]},
        {"events": [["page_view", "", 9, 0], ["page_view", "", 8, 0]]},
        {"events": [["page_view", "", 9, 0]] * 5_001},
        {"quotes": [["", 1, 1]]},
        {"quotes": [["h01", 1.0, 1]]},
        {"quotes": [["h01", 1]]},
        {"label": "person"},
        {"label": "unknown"},
        {"label": "human"},
        {"actor": ""},
        {"actor": "robot"},
        {"origin": ""},
        {"user_agent": "x" * 300},
        {"extra": 1},
    ],
)
def test_bad_lines_are_named(change: dict[str, object]) -> None:
    line = json.dumps(json.loads(to_line(SESSION)) | change)
    with pytest.raises(SkynetError) as caught:
        from_line(line, 17)
    assert caught.value.code == "bad_session"
    assert caught.value.message.startswith("Line 17: ")


@pytest.mark.parametrize("line", ["", "[]", "{", '{"sid": "a"}', b"\xff", "[" * 100_000])
def test_not_a_session(line: str | bytes) -> None:
    with pytest.raises(SkynetError) as caught:
        from_line(line)
    assert caught.value.code == "bad_session"


def test_line_number_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(to_line(SESSION) + "\n{}\n")
    sessions = read_sessions(path)
    assert next(sessions) == SESSION
    with pytest.raises(SkynetError, match="Line 2"):
        next(sessions)


def test_unreadable_files(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(to_line(SESSION).encode() + b"\n")[:-12])
    wrong = tmp_path / "wrong.jsonl.gz"
    wrong.write_bytes(b"not gzip")
    for path in (cut, wrong, tmp_path / "absent.jsonl"):
        with pytest.raises(SkynetError) as caught:
            list(read_sessions(path))
        assert caught.value.code == "unreadable_sessions"
        assert str(tmp_path) not in caught.value.message
