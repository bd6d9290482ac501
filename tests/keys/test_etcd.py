# SPDX-License-Identifier: Apache-2.0
"""etcd lost and found again, with users, with several members; and URLs that are none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bls.brain.live_params import LiveParams
from bls.errors import SkynetError
from bls.keys.etcd import EtcdStore
from bls.keys.etcd_line import b64
from bls.keys.etcd_url import EtcdUrl
from bls.keys.folder import FolderStore
from bls.keys.refusal import Reason, RefusedError
from tests.keys.etcd_server import EtcdServer
from tests.keys.operators import KEY, Operator, Remembered, unsigned, wait_until
from tests.remote.test_tls import Certificates


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdServer]:
    server = EtcdServer(tmp_path)
    server.start()
    yield server
    server.stop()


def test_what_is_live_stays_while_etcd_is_down(
    etcd: EtcdServer, operator: Operator, log: Remembered, tmp_path: Path
) -> None:
    """Killed, started again with its data: values, versions and watches are there."""
    kept = FolderStore(tmp_path / "kept")
    with closing(EtcdStore(etcd.url)) as store, closing(EtcdStore(etcd.url)) as other:
        store.put(operator.entry(2, horizon=2))
        live = LiveParams(store, operator.trusted, log, kept=kept)
        assert live.version == 2
        etcd.stop()
        assert wait_until(lambda: live.refused == {"unreadable": 1})
        with pytest.raises(RefusedError) as refused:
            other.get(KEY)
        assert refused.value.reason is Reason.UNREADABLE
        for call, code in (
            (lambda: other.put(unsigned(3, {})), "keys_unwritable"),
            (lambda: other.history(KEY), "keys_unreachable"),
            (lambda: other.newest(KEY), "keys_unreachable"),
            (other.names, "keys_unreachable"),
        ):
            with pytest.raises(SkynetError) as caught:
                call()
            assert caught.value.code == code and etcd.address not in caught.value.message
        assert (live.version, live.current.horizon) == (2, 2)
        late = LiveParams(other, operator.trusted, log, kept=kept)  # a server that starts now
        assert (late.version, late.current.horizon) == (2, 2)
        etcd.start()
        with pytest.raises(SkynetError) as caught:
            other.put(operator.entry(2, horizon=5))
        assert caught.value.code == "stale_version"
        other.put(operator.entry(3, horizon=3))
        assert wait_until(lambda: live.version == late.version == 3)
        late.close()
        live.close()


def test_a_connection_that_died_unseen_costs_seconds(
    etcd: EtcdServer, operator: Operator, log: Remembered
) -> None:
    """Somebody between us and etcd keeps the connection and lets nothing through any more."""
    with (
        _Wall(etcd.address) as wall,
        closing(EtcdStore(etcd.url)) as direct,
        closing(EtcdStore(f"etcd://{wall.address}")) as store,
    ):
        live = LiveParams(store, operator.trusted, log)
        wall.closed.set()
        direct.put(operator.entry(1, horizon=1))
        wall.open_again()
        assert wait_until(lambda: live.version == 1, 15)
        live.close()


class _Wall:
    """A TCP relay; while `closed` is set it swallows what comes."""

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(":")
        self._target = (host, int(port))
        self.closed = threading.Event()
        self._old: set[threading.Event] = set()
        self._now = self.closed
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._door.getsockname()[1]}"

    def __enter__(self) -> _Wall:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._door.close()

    def open_again(self) -> None:
        """For new connections; the old ones stay dead."""
        self._now = threading.Event()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            for one, other in ((near, far), (far, near)):
                pair = (one, other, self._now)
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    @staticmethod
    def _copy(one: socket.socket, other: socket.socket, closed: threading.Event) -> None:
        try:
            while data := one.recv(65_536):
                if not closed.is_set():
                    other.sendall(data)
            if not closed.is_set():
                other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_another_member_answers_when_one_is_down(etcd: EtcdServer) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        with closing(EtcdStore(f"etcd://{dead},{etcd.address}")) as store:
            store.put(unsigned(1, {}))
            assert store.get(KEY) == unsigned(1, {})


def test_a_user_with_a_password(etcd: EtcdServer, operator: Operator, log: Remembered) -> None:
    etcd.ask("auth/user/add", name="root", password="secret")
    etcd.ask("auth/role/add", name="root")
    etcd.ask("auth/user/grant", user="root", role="root")
    etcd.ask("auth/enable")
    url = f"etcd://root@{etcd.address}"
    with closing(EtcdStore(etcd.url)) as anonymous, closing(EtcdStore(url, "wrong")) as wrong:
        for store in (anonymous, wrong):
            with pytest.raises(RefusedError):
                store.get(KEY)
    with closing(EtcdStore(url, "secret")) as store:
        live = LiveParams(store, operator.trusted, log)
        store.put(operator.entry(1, horizon=1))
        assert wait_until(lambda: live.version == 1)
        live.close()
        etcd.stop()
        etcd.start()  # it has forgotten its tokens
        store.put(operator.entry(2, horizon=2))
        assert store.newest(KEY) == 2


def test_a_past_entry_under_another_version_is_left_out(etcd: EtcdServer) -> None:
    with closing(EtcdStore(f"{etcd.url}/p")) as store:
        store.put(unsigned(1, {}))
        past = f"/p{KEY}/history/{2:016d}"
        etcd.ask("kv/put", key=b64(past), value=b64(unsigned(1, {}).encode()))
        etcd.ask("kv/put", key=b64(f"/p{KEY}/history/notes"), value=b64("x"))
        etcd.ask("kv/put", key=b64("/pq/mpc/params"), value=b64("another prefix"))
        assert store.history(KEY) == (unsigned(1, {}),) and store.names() == (KEY,)


def test_an_emptied_value_is_refused_and_the_watch_goes_on(
    etcd: EtcdServer, operator: Operator, log: Remembered
) -> None:
    """The gateway leaves an empty value out of its answer."""
    with closing(EtcdStore(f"{etcd.url}/p")) as store:
        etcd.ask("kv/put", key=b64(f"/p{KEY}"), value="")
        live = LiveParams(store, operator.trusted, log)
        assert live.version == 0 and live.refused == {"malformed": 1}
        etcd.ask("kv/put", key=b64(f"/p{KEY}/history/{1:016d}"), value="")
        assert store.history(KEY) == ()
        store.put(operator.entry(2, horizon=2))
        assert wait_until(lambda: live.version == 2)
        live.close()


def test_urls() -> None:
    assert EtcdUrl.of("etcd://a:1") == EtcdUrl(("a:1",))
    whole = EtcdUrl.of("etcd://me@a:1,[::1]:2/x/y?ca=/ca.pem&cert=/c.pem&key=/k.pem")
    assert whole == EtcdUrl(("a:1", "[::1]:2"), "/x/y", "me", True, "/ca.pem", "/c.pem", "/k.pem")
    assert whole.urls() == ["https://a:1/v3/", "https://[::1]:2/v3/"]
    assert EtcdUrl.of("etcd://a:1?tls=1").urls() == ["https://a:1/v3/"]


@pytest.mark.parametrize(
    "url",
    [
        "etcd:",
        "etcd://",
        "etcd://a",
        "etcd://a:1,",
        "etcd://me:word@a:1",
        "etcd://a:1/x y",
        "etcd://a:1?speed=1",
        "etcd://a:1?tls=yes",
        "etcd://a:1#x",
        "http://a:1",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(SkynetError) as caught:
        EtcdUrl.of(url)
    assert (
        caught.value.code == "bad_setting" and "word" not in caught.value.message.split("pass")[0]
    )


def test_over_tls_only_the_right_authority_is_believed(
    tmp_path: Path, operator: Operator, log: Remembered
) -> None:
    ours, theirs = Certificates(tmp_path, "ours"), Certificates(tmp_path, "theirs")
    files = (ours.path("server"), ours.path("server_key"), ours.ca)
    etcd = EtcdServer(tmp_path, files)
    etcd.start()
    host = f"etcd://localhost:{etcd.address.rpartition(':')[2]}"
    try:
        with closing(EtcdStore(f"{host}?ca={ours.ca}")) as store:
            live = LiveParams(store, operator.trusted, log)
            store.put(operator.entry(1, horizon=1))
            assert wait_until(lambda: live.version == 1)
            live.close()
        for wrong in (host, f"{host}?tls=1", f"{host}?ca={theirs.ca}"):
            with closing(EtcdStore(wrong)) as store, pytest.raises(RefusedError) as refused:
                store.get(KEY)
            assert refused.value.reason is Reason.UNREADABLE
    finally:
        etcd.stop()


def test_tls_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SkynetError) as caught:
        EtcdStore(f"etcd://127.0.0.1:1?ca={tmp_path / 'none.pem'}")
    assert caught.value.code == "bad_setting"
