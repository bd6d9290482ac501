# SPDX-License-Identifier: Apache-2.0
"""Ports are checked before anything starts; 0 asks for a free one."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from bls.errors import SkynetError
from bls.settings import Settings
from client.launcher.ports import check_ports

NAMES = ("port", "triton_grpc_port", "triton_metrics_port")
ANY = Settings(port=0, triton_grpc_port=0, triton_metrics_port=0)


def test_zero_becomes_three_free_ports() -> None:
    checked = check_ports(ANY)
    ports = [getattr(checked, name) for name in NAMES]
    assert len(set(ports)) == 3 and all(1024 <= port <= 65_535 for port in ports)
    for port in ports:
        with socket.socket() as again:
            again.bind(("127.0.0.1", port))


@pytest.mark.parametrize("name", NAMES)
def test_taken_port_names_its_variable(name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SkynetError) as caught:
            check_ports(replace(ANY, **{name: port}))
    assert caught.value.code == "port_in_use"
    assert str(port) in caught.value.message
    assert f"SKYNET_{name.upper()}" in caught.value.message


def test_one_port_asked_for_twice_is_refused() -> None:
    free = check_ports(ANY).port
    with pytest.raises(SkynetError) as caught:
        check_ports(replace(ANY, port=free, triton_grpc_port=free))
    assert caught.value.code == "port_in_use"


def test_the_shops_port_is_looked_at_where_there_is_a_shop() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        closed = replace(ANY, store_port=taken.getsockname()[1])
        assert check_ports(closed).store_port == closed.store_port
        with pytest.raises(SkynetError, match="SKYNET_STORE_PORT") as caught:
            check_ports(replace(closed, store_mode="hotel"))
    assert caught.value.code == "port_in_use"
    assert check_ports(replace(ANY, store_mode="airline", store_port=0)).store_port


def test_given_ports_are_kept() -> None:
    free = check_ports(ANY)
    assert check_ports(free) == free


def test_address_that_is_not_ours() -> None:
    with pytest.raises(SkynetError, match="SKYNET_HOST") as caught:
        check_ports(replace(ANY, host="203.0.113.1"))
    assert caught.value.code == "bad_setting"
