# SPDX-License-Identifier: Apache-2.0
"""The line to a remote bidder, encrypted: who is believed, and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import trustme

from tests.remote.fake_worker import bidder
from tests.remote.rig import Rig
from tests.remote.scripted_bidder import ScriptedBidder, insist


class Certificates:
    """PEM files of an authority: its own, a server's and a client's."""

    def __init__(self, folder: Path, name: str) -> None:
        authority = trustme.CA()
        self._folder = folder / name
        self._folder.mkdir()
        self.ca = self._write("ca", authority.cert_pem)
        for who, host in (("server", "localhost"), ("client", "exchange.example")):
            issued = authority.issue_cert(host)
            self._write(f"{who}_key", issued.private_key_pem)
            self._write(who, issued.cert_chain_pems[0])

    def _write(self, name: str, pem: trustme.Blob) -> str:
        path = self._folder / f"{name}.pem"
        pem.write_to_path(path)
        return str(path)

    def path(self, name: str) -> str:
        return str(self._folder / f"{name}.pem")

    def server(self, mutual: bool) -> grpc.ServerCredentials:
        key, chain, ca = (
            Path(self.path(name)).read_bytes() for name in ("server_key", "server", "ca")
        )
        return grpc.ssl_server_credentials([(key, chain)], ca if mutual else None, mutual)

    def ours(self) -> dict[str, str]:
        return {"certificate": self.path("client"), "key": self.path("client_key")}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"), "good")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"), "other")


@pytest.fixture(params=[False, True], ids=["tls", "mtls"])
def far(request: pytest.FixtureRequest, good: Certificates) -> Iterator[ScriptedBidder]:
    with ScriptedBidder(insist(7), good.server(mutual=request.param)) as scripted:
        yield scripted


def row(far: ScriptedBidder, tls: dict[str, str] | None) -> np.ndarray:
    target = f"localhost:{far.port}"
    with Rig(bidder("a", target, deadline_ms=1_000, tls=tls)) as rig:
        found: np.ndarray = rig.reply(1)[0]
        return found


def test_a_certified_bidder_is_heard(far: ScriptedBidder, good: Certificates) -> None:
    assert row(far, {"ca": good.ca, **good.ours()})[7] == 30.0


def test_a_bidder_of_another_authority_is_not(
    far: ScriptedBidder, good: Certificates, other: Certificates
) -> None:
    assert (row(far, {"ca": other.ca, **good.ours()}) == -np.inf).all()
    assert not far.opens, "it was told nothing"


def test_plaintext_tells_an_encrypted_bidder_nothing(far: ScriptedBidder) -> None:
    assert (row(far, None) == -np.inf).all()
    assert not far.opens


def test_a_bidder_can_ask_who_we_are(good: Certificates, other: Certificates) -> None:
    with ScriptedBidder(insist(7), good.server(mutual=True)) as far:
        for ours in ({}, other.ours()):
            assert (row(far, {"ca": good.ca, **ours}) == -np.inf).all()
        assert not far.opens
