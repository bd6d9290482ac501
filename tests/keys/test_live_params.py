# SPDX-License-Identifier: Apache-2.0
"""`/mpc/params` while the server runs: what is taken, what is refused, what is told."""

from __future__ import annotations

import dataclasses
import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bls.brain.live_params import LiveParams
from bls.brain.params import MpcParams
from bls.keys.folder import FolderStore
from bls.keys.live import LiveValue
from bls.keys.signing import TrustedKeys, sign
from tests.keys.operators import KEY, PERIOD_S, Operator, Remembered, unsigned, wait_until

Open = Callable[..., LiveParams]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "mpc" / "params.json"


def put_there(path: Path, raw: bytes) -> None:
    """Whole, as by somebody who knows how."""
    other = path.with_name("other")
    other.write_bytes(raw)
    other.replace(path)


@pytest.fixture
def start(store: FolderStore, operator: Operator, log: Remembered) -> Iterator[Open]:
    """Opens live parameters; version 2 with H = 2 is in the store."""
    store.put(operator.entry(2, horizon=2))
    opened = []

    def open_it(
        keys: TrustedKeys | None = None, kept: FolderStore | None = None, store: FolderStore = store
    ) -> LiveParams:
        keys = operator.trusted if keys is None else keys
        opened.append(LiveParams(store, keys, log, kept=kept))
        return opened[-1]

    yield open_it
    for live in opened:
        live.close()


@pytest.mark.spec("MPC-I-05")
def test_a_signed_horizon_is_live_within_the_watch_period(
    start: Open, store: FolderStore, operator: Operator, log: Remembered
) -> None:
    live = start()
    assert (live.version, live.current.horizon) == (2, 2)
    store.put(operator.entry(3, horizon=4))
    assert wait_until(lambda: live.version == 3)
    assert live() == (MpcParams(horizon=4), 3) and live.refused == {}
    told = log.of("config.reload.log")
    assert [(line["version"], line["before"]) for line in told] == [(2, 0), (3, 2)]
    assert told[1]["value"] == {"horizon": 4} and told[1]["key_id"] in operator.trusted.names()
    assert (live.stats.version, live.stats.accepted, live.stats.alerts) == (3, 2, 0)


@pytest.mark.spec("MPC-U-09")
def test_unsigned_is_refused_and_the_old_stays(
    start: Open, store: FolderStore, log: Remembered
) -> None:
    live = start()
    store.put(unsigned(3, {"horizon": 4}))
    assert wait_until(lambda: live.refused == {"unsigned": 1})
    assert (live.version, live.current.horizon) == (2, 2)
    (line,) = log.of("config.sig.error")
    assert (line["reason"], line["offered"], line["version"]) == ("unsigned", 3, 2)
    assert log.of("config.sig.alert") == [line]


def flipped(raw: bytes) -> bytes:
    at = raw.index(b'"horizon": 3') + len(b'"horizon": ')
    return raw[:at] + b"7" + raw[at + 1 :]


def _tampered(operator: Operator) -> dict[str, tuple[bytes, str]]:
    new = operator.entry(3, horizon=3)
    other = Operator()
    return {
        "flipped byte": (flipped(new.encode()), "checksum"),
        "flipped byte in the signature": (
            dataclasses.replace(new, signature="A" + new.signature[1:]).encode()
            if new.signature[0] != "A"
            else dataclasses.replace(new, signature="B" + new.signature[1:]).encode(),
            "bad_signature",
        ),
        "another value under the old signature": (
            dataclasses.replace(
                unsigned(3, {"horizon": 8}), key_id=new.key_id, signature=new.signature
            ).encode(),
            "bad_signature",
        ),
        "a newer version under the old signature": (
            dataclasses.replace(new, version=9).encode(),
            "bad_signature",
        ),
        "a stranger's signature": (sign(new, other.private).encode(), "untrusted_key"),
        "a stranger's signature under a trusted name": (
            dataclasses.replace(sign(new, other.private), key_id=new.key_id).encode(),
            "bad_signature",
        ),
        "another key's entry": (operator.entry(3, "/tve/model", horizon=3).encode(), "other_key"),
        "another key's entry renamed": (
            dataclasses.replace(operator.entry(3, "/tve/model", horizon=3), key=KEY).encode(),
            "bad_signature",
        ),
        "an older version": (operator.entry(1, horizon=8).encode(), "replayed"),
        "another value of the same version": (operator.entry(2, horizon=8).encode(), "replayed"),
        "truncated": (new.encode()[:-20], "malformed"),
        "empty": (b"", "malformed"),
        "not JSON": (b"\x00" * 100, "malformed"),
        "NaN": (new.encode().replace(b": 3\n", b": NaN\n"), "malformed"),
        "huge": (b" " * 1_000_000, "too_large"),
    }


@pytest.mark.spec("MPC-S-04")
@pytest.mark.parametrize("way", sorted(_tampered(Operator())))
def test_tampering_changes_nothing_and_raises_an_alert(
    way: str, start: Open, operator: Operator, log: Remembered, path: Path
) -> None:
    live = start()
    raw, reason = _tampered(operator)[way]
    put_there(path, raw)
    assert wait_until(lambda: bool(live.refused))
    live.look()
    path.touch()
    live.look()
    assert live.refused == {reason: 1}  # once per content, however often it is looked at
    assert (live.version, live.current) == (2, MpcParams(horizon=2))
    (line,) = log.of("config.sig.alert")
    assert line["reason"] == reason and live.stats.alerts == 1
    put_there(path, operator.entry(10, horizon=5).encode())
    assert wait_until(lambda: live.current.horizon == 5)


@pytest.mark.spec("MPC-S-04")
def test_a_link_to_a_good_value_is_refused(
    start: Open, operator: Operator, log: Remembered, path: Path, tmp_path: Path
) -> None:
    live = start()
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(operator.entry(3, horizon=8).encode())
    path.unlink()
    path.symlink_to(elsewhere)
    assert wait_until(lambda: live.refused["not_a_file"] == 1)
    assert live.version == 2 and log.of("config.sig.alert")


@pytest.mark.parametrize(
    "case",
    [
        ({"horizon": 9}, "horizon"),
        ({"horizon": "4"}, "horizon"),
        ({"horizon": 4, "horizont": 4}, "horizont"),
        ({"lambda_risk": 0.0}, "lambda_risk"),
        ({"cost_model": "free"}, "cost_model"),
    ],
)
def test_signed_but_wrong_is_refused_by_name_without_an_alert(
    start: Open, operator: Operator, log: Remembered, path: Path, case: tuple[dict[str, Any], str]
) -> None:
    value, named = case
    live = start()
    put_there(path, operator.entry(3, **value).encode())
    assert wait_until(lambda: live.refused == {"invalid_value": 1})
    assert named in log.of("config.sig.error")[0]["why"] and not log.of("config.sig.alert")
    assert live.current == MpcParams(horizon=2)
    put_there(path, operator.entry(4, horizon=4).encode())
    assert wait_until(lambda: live.version == 4)


def test_nobody_trusted_means_nothing_is_taken(start: Open) -> None:
    live = start(keys=TrustedKeys())
    assert (live.version, live.current) == (0, MpcParams())
    assert live.refused == {"untrusted_key": 1}


def test_a_removed_value_stays_live_and_comes_back(
    start: Open, log: Remembered, path: Path
) -> None:
    live = start()
    raw = path.read_bytes()
    path.unlink()
    assert wait_until(lambda: live.refused == {"gone": 1})
    put_there(path, raw)
    time.sleep(3 * PERIOD_S)
    assert live.version == 2 and live.refused == {"gone": 1} and not log.of("config.sig.alert")


def test_an_unreadable_value_is_tried_again(
    start: Open, operator: Operator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file does not change in between: a server that is out of descriptors, say."""
    live = start()

    def full(*arguments: object, **options: object) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patched:
        patched.setattr("bls.keys.folder.os.open", full)
        put_there(path, operator.entry(3, horizon=4).encode())
        assert wait_until(lambda: live.refused == {"unreadable": 1})
    assert wait_until(lambda: live.version == 3)


def test_the_same_tampering_again_is_told_again(start: Open, path: Path) -> None:
    live = start()
    good = path.read_bytes()
    for times in (1, 2):
        put_there(path, b"{}")
        live.look()
        assert live.refused == {"malformed": times}
        put_there(path, good)
        live.look()


@pytest.mark.spec("MPC-S-04")
def test_a_restart_remembers_what_was_live(
    start: Open, store: FolderStore, operator: Operator, path: Path, tmp_path: Path
) -> None:
    """An old signed value put back, or a spoilt file, while the server is down."""
    kept = FolderStore(tmp_path / "kept")
    old = path.read_bytes()
    store.put(operator.entry(3, horizon=4))
    assert start(kept=kept).version == 3
    for raw, reason in ((old, "replayed"), (b"{", "malformed")):
        put_there(path, raw)
        live = start(kept=kept)
        assert (live.version, live.current.horizon, live.refused) == (3, 4, {reason: 1})


def test_what_was_kept_is_checked_again(
    start: Open, store: FolderStore, operator: Operator, tmp_path: Path
) -> None:
    """A key that is no longer trusted takes its values with it."""
    kept = FolderStore(tmp_path / "kept")
    start(kept=kept)
    live = start(kept=kept, keys=Operator().trusted)
    assert live.version == 0 and live.refused["untrusted_key"] == 1


def test_keys_that_move_no_money_need_no_signature(store: FolderStore, log: Remembered) -> None:
    store.put(unsigned(1, {"folder": "a"}, "/tve/model"))
    live = LiveValue(store, "/tve/model", lambda value: value["folder"], "", keys=None, log=log)
    assert (live.version, live.current) == (1, "a")
    live.close()


def test_whatever_a_reader_raises_is_a_refusal(store: FolderStore, log: Remembered) -> None:
    """The watch goes on, and the next good value is taken."""
    store.put(unsigned(1, {}, "/tve/model"))
    live = LiveValue(store, "/tve/model", lambda value: value["folder"], "", keys=None, log=log)
    assert not live.look() and live.refused == {"unreadable": 1}
    assert log.of("config.sig.error")[0]["why"] == "KeyError"
    store.put(unsigned(2, {"folder": "a"}, "/tve/model"))
    assert wait_until(lambda: live.current == "a")
    live.close()
