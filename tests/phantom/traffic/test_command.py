# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom traffic`: files, gateways, refused options."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bls.errors import SkynetError
from bls.phantom.recorded import read_sessions
from client.commands.phantom import phantom
from tests.phantom.listener import Listener


def run(*args: object) -> Result:
    return CliRunner().invoke(phantom, ["traffic", *map(str, args)])


@pytest.mark.spec("PH-07")
@pytest.mark.parametrize("mode", ["hotel", "airline"])
def test_a_file(tmp_path: Path, mode: str) -> None:
    out = tmp_path / "a.jsonl.gz"
    done = run("--sessions", 18, "--mode", mode, "--seed", 4, "--out", out)
    assert done.exit_code == 0, done.output
    sessions = [*read_sessions(out)]
    assert len(sessions) == 18
    assert {one.mode for one in sessions} == {mode}
    assert "stealthy" in done.output
    assert "purchases" in done.output
    again = tmp_path / "b.jsonl.gz"
    run("--sessions", 18, "--mode", mode, "--seed", 4, "--out", again)
    assert again.read_bytes() == out.read_bytes()


def test_chosen_drivers(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    assert run("--sessions", 4, "--drivers", "mobile, stealthy", "--out", out).exit_code == 0
    assert {one.origin for one in read_sessions(out)} == {"mobile", "stealthy"}


@pytest.mark.spec("PH-01")
def test_a_gateway_is_told_the_label_before_anything_else() -> None:
    listener = Listener()
    done = run("--sessions", 4, "--drivers", "impulse", "--post", listener.url)
    listener.server.shutdown()
    assert done.exit_code == 0, done.output
    first = dict[str, str]()
    for path, body in listener.asked:
        first.setdefault(body.get("session_id") or path.split("/")[3], body.get("label", path))
    assert [*first.values()] == ["synthetic"] * 4
    assert listener.told.keys() == first.keys()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([], "bad_option"),
        (["--out", "x", "--post", "http://x"], "bad_option"),
        (["--out", "x", "--grounds", "browser"], "bad_option"),
        (["--out", "x", "--shop", "http://x"], "bad_option"),
        (["--out", "x", "--drivers", "llm"], "bad_option"),
        (["--out", "x", "--drivers", "nobody"], "unknown_driver"),
    ],
)
def test_refused(args: list[str], code: str) -> None:
    done = run("--sessions", 1, *args)
    assert isinstance(done.exception, SkynetError)
    assert done.exception.code == code


def test_a_model_that_is_away_is_the_end(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    done = run("--sessions", 1, "--drivers", "llm", "--llm", "http://127.0.0.1:9", "--out", out)
    assert isinstance(done.exception, SkynetError)
    assert done.exception.code == "model_away"


def test_help_says_what_it_makes() -> None:
    done = run("--help")
    assert "synthetic" in done.output
    assert "--speed" in done.output
