# SPDX-License-Identifier: Apache-2.0
"""`skynet params`: what an operator does, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from bls.brain.params import KEY
from bls.errors import SkynetError
from bls.keys.folder import FolderStore
from bls.keys.private import public_file
from client import cli
from tests.keys.operators import Operator, unsigned


def run(*arguments: object) -> int:
    return int(cli.cli.main([*map(str, arguments)], "skynet", standalone_mode=False) or 0)


@pytest.fixture
def signing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key that the local stack trusts, named by the environment."""
    file = tmp_path / "params.key"
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    monkeypatch.setenv("PARAMS_SIGNING_KEY", str(file))
    assert run("params", "keygen") == 0
    monkeypatch.setenv("SKYNET_PARAMS_PUBLIC_KEYS", str(public_file(file)))
    return file


@pytest.fixture
def local(tmp_path: Path) -> FolderStore:
    """The store the commands use."""
    return FolderStore(tmp_path / "keys")


def code_of(*arguments: object) -> str:
    with pytest.raises(SkynetError) as caught:
        run(*arguments)
    return caught.value.code


def test_set_history_rollback_verify(
    signing: Path, local: FolderStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("params", "verify") == 0  # nothing there is no fault
    assert run("params", "set", "horizon=4", "cost_model=bid") == 0
    assert "horizon 8 -> 4" in capsys.readouterr().out
    assert run("params", "set", "lambda_risk=0.6", "--key", signing) == 0
    entry = local.get(KEY)
    assert entry is not None and entry.version == 2
    assert (entry.value["horizon"], entry.value["lambda_risk"]) == (4, 0.6)
    assert run("params", "rollback", 1) == 0 and run("params", "verify") == 0
    capsys.readouterr()
    assert run("params", "history") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3"]
    assert "lambda_risk 0.6 -> 0.5" in lines[4] and "ok" in lines[4]
    assert run("params", "show", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["version"], shown["verdict"], shown["value"]["horizon"]) == (3, "ok", 4)
    assert run("params", "set", "momentum=3", "--defaults") == 0
    last = local.get(KEY)
    assert last is not None and (last.value["horizon"], last.value["momentum"]) == (8, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("horizon", "FIELD=VALUE"),
        ("horizont=4", "horizon, lambda_risk"),
        ("horizon=9", "less than or equal to 8"),
        ("horizon=4.5", "integer"),
        ("cost_model=free", "'bid'"),
        ("w_max=NaN", "w_max"),
    ],
)
def test_a_wrong_value_is_wrong_usage(
    signing: Path, local: FolderStore, text: str, said: str
) -> None:
    with pytest.raises(click.BadParameter) as caught:
        run("params", "set", text)
    assert said in caught.value.format_message() and local.get(KEY) is None


def test_without_a_key_nothing_is_signed(signing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARAMS_SIGNING_KEY")
    with pytest.raises(click.MissingParameter) as caught:
        run("params", "set", "horizon=4")
    assert "--key" in caught.value.format_message()
    assert code_of("params", "set", "horizon=4", "--key", "/dev/null") == "bad_signing_key"


@pytest.mark.spec("MPC-S-04")
def test_a_tampered_value_is_shown_and_never_signed_again(
    signing: Path, local: FolderStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run("params", "set", "horizon=4")
    path = tmp_path / "keys" / "mpc" / "params.json"
    path.write_bytes(unsigned(2, {"horizon": 8}).encode())
    for command in ("verify", "show"):
        assert run("params", command) == 1
        assert "refused: unsigned" in capsys.readouterr().out
    assert code_of("params", "set", "momentum=3") == "bad_entry"
    path.write_text("{")
    assert run("params", "verify") == 1
    assert "refused: malformed" in capsys.readouterr().out
    assert run("params", "rollback", 1) == 0 and run("params", "verify") == 0


def test_a_past_that_is_not_ours(
    signing: Path, local: FolderStore, capsys: pytest.CaptureFixture[str]
) -> None:
    local.put(Operator().entry(1, horizon=8))
    assert code_of("params", "rollback", 1) == "bad_entry"
    assert code_of("params", "rollback", 2) == "no_version"
    local.put(unsigned(3, {"cost_model": "\x1b[2J"}))
    assert run("params", "history") == 0 and run("params", "show") == 1
    shown = capsys.readouterr().out
    assert "refused: untrusted_key" in shown and "[2J" in shown and "\x1b" not in shown


def test_signed_but_not_valid(
    signing: Path, local: FolderStore, capsys: pytest.CaptureFixture[str]
) -> None:
    from bls.keys.private import load  # noqa: PLC0415
    from bls.keys.signing import sign  # noqa: PLC0415

    local.put(sign(unsigned(1, {"horizon": 99}), load(signing)))
    assert run("params", "verify") == 1
    assert "less than or equal to 8" in capsys.readouterr().out


def test_the_next_version_is_above_what_the_server_had(
    signing: Path, local: FolderStore, tmp_path: Path
) -> None:
    FolderStore(tmp_path / "keys.kept").put(unsigned(7, {}))
    assert run("params", "set", "horizon=4") == 0 and local.newest(KEY) == 8


def test_a_key_that_is_not_trusted_here_is_noted(
    signing: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SKYNET_PARAMS_PUBLIC_KEYS")
    assert run("params", "set", "horizon=4") == 0
    assert "does not name this key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "incomplete", "offered"),
    [
        (["params", "set"], "mo", ["momentum="]),
        (["params", "set"], "cost_model=", ["cost_model=bid", "cost_model=vcg"]),
        (["params", "set"], "horizon=", []),
        (["params", "rollback"], "", ["1", "2"]),
        (["params"], "ro", ["rollback"]),
    ],
)
def test_completion(
    signing: Path, arguments: list[str], incomplete: str, offered: list[str]
) -> None:
    run("params", "set", "horizon=4")
    run("params", "set", "horizon=2")
    complete = ShellComplete(cli.cli, {}, "skynet", "_SKYNET_COMPLETE")
    found = complete.get_completions(arguments, incomplete)
    assert [item.value for item in found] == offered


@pytest.mark.parametrize("command", ["", "keygen", "show", "set", "history", "rollback", "verify"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("params", *command.split(), "--help") == 0
    assert "Usage: skynet params" in capsys.readouterr().out
