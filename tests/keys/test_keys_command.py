# SPDX-License-Identifier: Apache-2.0
"""`skynet keys`: what is live, its past, and the way back; signed where servers ask for it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from bls.brain.params import KEY
from bls.errors import SkynetError
from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.keys.private import create, load, public_file
from bls.keys.signing import sign
from bls.models.model_key import ModelKey, canary_key, model_key
from client import cli
from client.commands.key_store import default_store
from tests.keys.operators import unsigned, wait_until

MODEL = model_key("pred")


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """The store the commands use; three versions of the predictor's key are in it."""
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    store = FolderStore(tmp_path / "keys")
    for number in (1, 2, 3):
        store.put(unsigned(number, named(number), MODEL))
    return store


def named(number: int, **changes: object) -> dict[str, object]:
    value = ModelKey(f"pred_{number}", f"file:///models/{number}", f"{number:064x}").value()
    return value | changes


def run(*arguments: object) -> str:
    """What it prints; raises what the command raises."""
    done = CliRunner().invoke(cli.cli, ["keys", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def code_of(*arguments: object) -> str:
    with pytest.raises(SkynetError) as caught:
        run(*arguments)
    return caught.value.code


def live(store: FolderStore, key: str = MODEL) -> Entry:
    entry = store.get(key)
    assert entry is not None
    return entry


def test_list_and_show(local: FolderStore, tmp_path: Path) -> None:
    assert default_store() == str(tmp_path / "keys")
    local.put(unsigned(1, {"version": "x"}, canary_key("pred")))
    local.put(unsigned(4, {"anything": 1}, "/other/key"))
    lines = run("list").splitlines()[2:]
    assert [line.split()[:2] for line in lines] == [
        ["/other/key", "4"],
        ["/pred/canary", "1"],
        ["/pred/model", "3"],
    ]
    assert "refused" in lines[1] and "ok" in lines[2] and "pred_3" in lines[2]
    shown = json.loads(run("show", MODEL, "--json"))
    assert (shown["version"], shown["verdict"], shown["value"]) == (3, "ok", named(3))
    assert "signed by nobody" in run("show", MODEL)
    assert "refused" in run("show", canary_key("pred"))
    assert "nothing is live" in run("show", "/tve/model")
    assert run("list", "--store", tmp_path / "none") == "none\n"


def test_rollback_is_one_command(local: FolderStore) -> None:
    """The value before the live one, published as a newer version; and back again by number."""
    out = run("rollback", MODEL)
    assert "version 4" in out and "value of version 2" in out
    assert live(local).value == named(2) and live(local).version == 4
    run("rollback", MODEL, 3)
    assert live(local).value == named(3) and live(local).version == 5
    assert [line.split()[0] for line in run("history", MODEL).splitlines()[2:]] == list("12345")


def test_what_cannot_be_rolled_back(local: FolderStore) -> None:
    assert code_of("rollback", MODEL, 9) == "no_version"
    assert code_of("rollback", "/tve/model") == "no_version"
    local.put(unsigned(4, {"version": "x"}, MODEL))
    local.put(unsigned(5, named(5), MODEL))
    assert code_of("rollback", MODEL) == "bad_model_key"
    assert live(local).version == 5
    assert code_of("show", "bad key") == "bad_key"


def test_a_spoilt_live_value_goes_back_to_the_newest_good_one(
    local: FolderStore, tmp_path: Path
) -> None:
    (tmp_path / "keys" / "pred" / "model.json").write_text("{")
    run("rollback", MODEL)
    assert live(local).value == named(3) and live(local).version == 4


def test_a_version_that_a_server_has_seen_is_not_used_again(
    local: FolderStore, tmp_path: Path
) -> None:
    FolderStore(tmp_path / "keys.kept").put(unsigned(7, named(7), MODEL))
    run("rollback", MODEL)
    assert live(local).version == 8


def test_keys_that_must_be_signed(
    local: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters always, models when the server names whom it trusts."""
    file = tmp_path / "operator.key"
    create(file)
    for number in (1, 2):
        local.put(sign(unsigned(number, {"horizon": number}, KEY), load(file)))
    assert code_of("rollback", KEY) == "no_signing_key"
    monkeypatch.setenv("SKYNET_PARAMS_PUBLIC_KEYS", str(public_file(file)))
    assert "signed by" in run("rollback", KEY, "--key", file)
    assert live(local, KEY).value == {"horizon": 1} and "ok" in run("show", KEY)
    monkeypatch.setenv("SKYNET_MODELS_PUBLIC_KEYS", str(public_file(file)))
    assert "refused" in run("show", MODEL)
    assert code_of("rollback", MODEL, "--key", file) == "bad_entry"  # its past was not signed
    monkeypatch.setenv("SKYNET_MODELS_PUBLIC_KEYS", str(tmp_path / "none.pem"))
    with pytest.raises(SkynetError, match="SKYNET_MODELS_PUBLIC_KEYS"):
        run("show", MODEL)


def test_watch_prints_every_change(local: FolderStore) -> None:
    said: list[str] = []
    watching = threading.Thread(target=lambda: said.append(run("watch", MODEL, "--times", 2)))
    watching.start()
    assert not wait_until(lambda: not watching.is_alive(), 0.3)
    local.put(unsigned(4, named(4), MODEL))
    assert wait_until(lambda: bool(said), 10)
    watching.join()
    first, second = said[0].splitlines()
    assert "pred_3" in first and "version 4" in second and "pred_4" in second
