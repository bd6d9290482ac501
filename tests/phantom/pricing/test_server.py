# SPDX-License-Identifier: Apache-2.0
"""`session_price` in the real server behind the real provider: bounds, falls, recovery, canary."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import psutil
import pytest
from onnx import helper, numpy_helper

from bls.limits import LIMITS, Limits
from bls.models.model_key import PRICE, canary_key, model_key
from bls.models.models import chosen
from bls.models.served import served_id, served_name
from bls.phantom.pricing.held import Given
from bls.phantom.pricing.provider import BASE, POLICY, Provider
from bls.phantom.pricing.state import NOBODY, Sight
from bls.phantom.session import Mode
from bls.reply.draw import conversation
from client.gateway.phantom.policy import TritonPolicy
from client.gateway.upstream import Triton
from tests.one_model import ModelServer, one_model, sha256_of
from tests.phantom.pricing.stub import STATE, graph, linear, shop, write_version

pytestmark = pytest.mark.spec("PH-13")
NAMES = ["a", "b", "c"]


class Known:
    """Sessions of which nothing is known but a share of agents, drawn by their name."""

    behind_s = 0.0

    def sight(self, session_id: str, mode: Mode) -> Sight:
        if not self.behind_s:
            return NOBODY
        return Sight(0.5, 3, self.behind_s)

    def demand(self, mode: Mode) -> Mapping[str, float]:
        return {}


class Shop:
    """A gateway's provider in front of that server, with a channel of its own."""

    def __init__(self, address: str, timeout_s: float = 5.0) -> None:
        self.known, self._runner = Known(), asyncio.Runner()
        limits = dataclasses.replace(LIMITS, price_timeout_s=timeout_s, price_hold_s=0.0)
        self._runner.run(self._open(address, limits))

    async def _open(self, address: str, limits: Limits) -> None:
        self._triton = Triton(address)
        policy = TritonPolicy(self._triton, limits.price_timeout_s)
        self.provider = Provider(policy, self.known, catalogues=shop, limits=limits)

    def ask(self, *sessions: str) -> list[list[Given]]:
        """A page of each, all at once; what it gives is not held."""

        async def pages() -> list[list[Given]]:
            asked = (self.provider.quotes(name, "hotel", NAMES) for name in sessions)
            return list(await asyncio.gather(*asked))

        return self._runner.run(pages())

    def policies(self, session: str = "s") -> set[str]:
        return {given.policy for given in self.ask(session)[0]}

    def fallbacks(self, reason: str) -> float:
        return self.provider.stats.fallbacks.of(reason=reason)

    def close(self) -> None:
        self._runner.run(self._triton.close())
        self._runner.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    folder = tmp_path_factory.mktemp("price")
    shipped = write_version(folder / "shipped", 1.1)
    with one_model("session_price", folder, price_model=str(shipped)) as running:
        yield running


@pytest.fixture
def page(server: ModelServer) -> Iterator[Shop]:
    made = Shop(server.stack.triton_address)
    yield made
    made.close()


def serve(server: ModelServer, name: str, content: bytes | None = None, bias: float = 1.1) -> str:
    """Make a version the champion; its name in quotes once it serves."""
    folder = write_version(server.models / "price" / name, bias, name, content)
    server.publish(model_key(PRICE), folder)
    sha256 = sha256_of(folder)
    label = f'sha256="{sha256}",version="{name}"'
    server.until(lambda: server.series("phantom_price_model_info").get(label) == 1)
    return served_name(served_id(sha256))


def test_prices_come_from_the_version_that_ships(server: ModelServer, page: Shop) -> None:
    (given,) = page.ask("s")
    assert [one.price_micros // 10_000 for one in given] == [11_000, 5_500, 1_000]
    assert {one.policy for one in given} == {POLICY} and len({one.version for one in given}) == 1
    server.until(lambda: server.series("phantom_price_rows_total")[""] >= 3)


def wild(seed: int) -> bytes:
    """A graph that passes its probe and then says anything: MULTIPLIER = sum(w STATE^3) + b, with w
    up to 1e30; or one over it; or what is no number where the sum is negative."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(STATE, 1)) * 10.0 ** rng.uniform(-3, 30)
    end = ["Reciprocal", "Sqrt", "Log", "Exp", "Neg"][seed % 5]
    nodes = [
        helper.make_node("Mul", ["STATE", "STATE"], ["square"]),
        helper.make_node("Mul", ["square", "STATE"], ["cube"]),
        helper.make_node("Gemm", ["cube", "w", "b"], ["sum"]),
        helper.make_node(end, ["sum"], ["MULTIPLIER"]),
    ]
    constants = [
        numpy_helper.from_array(weight.astype(np.float32), "w"),
        numpy_helper.from_array(rng.normal(size=1).astype(np.float32), "b"),
    ]
    return graph(nodes, constants)


def test_bounds_hold_whatever_a_model_says(server: ModelServer, page: Shop) -> None:
    """Random graphs through the server, taken or not; states that a shop can have."""
    taken = 0
    for seed in range(6):
        folder = write_version(server.models / "price" / f"wild{seed}", 1, "w", wild(seed))
        server.publish(model_key(PRICE), folder)
        mine = f'sha256="{sha256_of(folder)}"'
        refused = sum(server.series("phantom_price_reload_failures_total").values())

        def judged(mine: str = mine, refused: float = refused) -> bool:
            info = server.series("phantom_price_model_info")
            failures = server.series("phantom_price_reload_failures_total")
            served = any(mine in label and value for label, value in info.items())
            return served or sum(failures.values()) > refused

        server.until(judged)
        info = server.series("phantom_price_model_info")
        taken += any(mine in label and value for label, value in info.items())
        for given in page.ask(*(f"{seed}-{number}" for number in range(8))):
            for one in given:
                assert one.item.floor_micros <= one.price_micros <= one.item.ceiling_micros
    assert taken, "some of them serve"
    serve(server, "sane")


def test_a_canary_has_its_share_of_sessions(server: ModelServer, page: Shop) -> None:
    champion = serve(server, "champion", bias=1.0)
    folder = write_version(server.models / "price" / "canary", 1.2, "canary")
    server.publish(canary_key(PRICE), folder, 0.4)
    canary = served_name(served_id(sha256_of(folder)))
    names = [f"c{number}" for number in range(40)]
    own = chosen(np.array([conversation(name) for name in names], np.uint64), 0.4)
    wanted = [canary if mine else champion for mine in own]

    def versions() -> list[str]:
        pages = page.ask(*names)
        assert all(len({one.version for one in given}) == 1 for given in pages)
        return [given[0].version for given in pages]

    server.until(lambda: versions() == wanted)
    assert versions() == wanted, "the same sessions again"
    server.until(lambda: server.series("orch_price_canary_rows_total").get("", 0) > 0)
    server.publish(canary_key(PRICE), folder, 0.0)
    server.until(lambda: set(versions()) == {champion})


def test_versions_are_swapped_under_load_and_no_quote_fails(
    server: ModelServer, page: Shop
) -> None:
    """Two gateways ask on and on while three versions come in turn."""
    done, faults = threading.Event(), list[object]()
    seen: list[str] = []

    def shopper(number: int) -> None:
        own, turn = Shop(server.stack.triton_address), 0
        while not done.is_set():
            turn += 1
            for given in own.ask(*(f"{number}-{turn}-{one}" for one in range(4))):
                seen.append(given[0].version)
                if {one.policy for one in given} != {POLICY} or len({g.version for g in given}) > 1:
                    faults.append(given)
        own.close()

    threads = [threading.Thread(target=shopper, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for name in ("swap1", "swap2", "swap3"):
            version = serve(server, name, bias=1.05)
            server.until(lambda version=version: version in seen[-8:])  # type: ignore[misc]
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not faults and len(set(seen)) >= 3


def test_a_model_that_refuses(server: ModelServer, page: Shop) -> None:
    """Below 0 for what a shop really asks, above it at the probe."""
    weight = [0.0] * STATE
    weight[6] = 2.0  # EVENTS: 0.4 at the probe, 0 in a session that did nothing
    serve(server, "refuses", linear(weight, -0.5))
    assert page.policies() == {BASE}
    assert page.fallbacks("refused") == 3
    errors = 'code="bad_price"'
    server.until(lambda: server.series("phantom_price_errors_total").get(errors))
    serve(server, "recovered")
    assert page.policies() == {POLICY}


def test_a_score_that_lags(page: Shop) -> None:
    page.known.behind_s = 3600.0
    assert page.policies() == {BASE}
    page.known.behind_s = 0.0
    assert page.policies() == {POLICY}


def processes(server: ModelServer) -> list[psutil.Process]:
    """The server and the worker that has our model."""
    parent = psutil.Process(server.stack.child("tritonserver").pid)
    return [parent, *parent.children(recursive=True)]


def test_a_server_that_hangs_is_slow_then_well_again(server: ModelServer, page: Shop) -> None:
    """Stopped by a signal, as on a machine that swaps; with the deadline that ships."""
    impatient = Shop(server.stack.triton_address, LIMITS.price_timeout_s)
    server.until(lambda: impatient.policies() == {POLICY})
    halted = processes(server)
    for one in halted:
        one.suspend()
    try:
        (given,) = impatient.ask("s")
    finally:
        for one in halted:
            one.resume()
    assert [one.price_micros // 10_000 for one in given] == [10_000, 5_000, 1_000]
    assert impatient.fallbacks("slow") == 3
    server.until(lambda: impatient.policies() == {POLICY})
    impatient.close()


def test_a_killed_server_is_the_base_price_until_there_is_another(
    server: ModelServer, page: Shop, tmp_path: Path
) -> None:
    """The last test of this module. First its worker is killed, then the server; the gateway's
    channel and provider stay."""
    assert page.policies() == {POLICY}
    parent, *workers = processes(server)
    for one in workers:
        one.kill()
    assert page.policies() == {BASE}
    parent.kill()
    server.until(lambda: server.stack.child("tritonserver").exit_code is not None)
    (given,) = page.ask("s")
    assert [one.price_micros // 10_000 for one in given] == [10_000, 5_000, 1_000]
    assert page.fallbacks("dead") + page.fallbacks("refused") == 6
    port = server.stack.settings.triton_grpc_port
    shipped = write_version(tmp_path / "shipped", 1.15)
    with one_model("session_price", tmp_path, price_model=str(shipped), grpc_port=port) as again:
        again.until(lambda: page.policies() == {POLICY})
        assert page.ask("s")[0][0].price_micros == 115_000_000
