# SPDX-License-Identifier: Apache-2.0
"""`/mro/lambda`: what is taken, what is refused, who plays which bucket."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.keys.folder import FolderStore
from bls.select.lambdas import BUCKETS, BUILT_IN, KEY, LiveLambda, read_lambda
from tests.keys.operators import PERIOD_S, Remembered, unsigned, wait_until
from tests.select.world import Ads, Exact, World, campaign, unit

EVEN = {str(bucket): [1.0, 1.0] for bucket in BUCKETS}
IDS = [f"ctx-{number}" for number in range(3_000)]


def nightly(posteriors: dict[str, list[float]] | None = None, **changes: Any) -> dict[str, Any]:
    """A value as the nightly job writes it."""
    weights = {str(bucket): 1 / 9 for bucket in BUCKETS}
    value = {"lambda_sem": 0.3, "lambda_val": 0.7, "cap": 2.5, "weights": weights}
    return value | {"posteriors": posteriors or EVEN} | changes


class Live:
    """A live value over a real key store."""

    def __init__(self, folder: Path) -> None:
        self.store, self.log = FolderStore(folder, PERIOD_S), Remembered()
        self.value = LiveLambda(self.store, self.log)

    def put(self, value: dict[str, Any]) -> None:
        self.store.put(unsigned(self.store.newest(KEY) + 1, value, KEY))

    def close(self) -> None:
        self.value.close()
        self.store.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path)
    yield made
    made.close()


@pytest.mark.spec("MRO-U-03")
def test_weights_that_do_not_sum_to_one_are_refused_and_told(live: Live) -> None:
    live.put({"lambda_sem": 0.6, "lambda_val": 0.4})
    live.value.look()
    live.put({"lambda_sem": 0.7, "lambda_val": 0.25})
    live.value.look()
    assert (live.value.version, live.value.current.lambda_sem) == (1, 0.6)
    (told,) = live.log.of("mro.lambda.error")
    assert (told["reason"], told["offered"], told["version"]) == ("invalid_value", 2, 1)
    assert "must be 1" in told["why"]
    live.value.look()
    assert len(live.log.of("mro.lambda.error")) == 1, "told once"
    assert live.log.of("lambda_reload.event")[0]["version"] == 1
    live.put({"lambda_sem": 0.3 + 5e-7, "lambda_val": 0.7})
    live.value.look()
    assert live.value.version == 3


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"lambda_sem": 0.5},
        {"lambda_sem": 1.5, "lambda_val": -0.5},
        {"lambda_sem": "0.5", "lambda_val": 0.5},
        {"lambda_sem": True, "lambda_val": 0.0},
        {"lambda_sem": 0.5, "lambda_val": 0.5, "more": 1},
        nightly(lambda_val=0.6),
        nightly(cap=-1.0),
        nightly({**EVEN, "0.3": [0.0, 1.0]}),
        nightly({**EVEN, "0.3": [float("inf"), 1.0]}),
        nightly({**EVEN, "0.3": [float("nan"), 1.0]}),
        nightly({**EVEN, "0.3": [1.0]}),
        nightly({**EVEN, "0.35": [1.0, 1.0]}),
        nightly({"0.3": [1.0, 1.0]}),
        nightly(weights={"0.3": 1.0}),
    ],
)
def test_values_that_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(SkynetError):
        read_lambda(value)


def test_a_spoilt_file_is_told_too(live: Live, tmp_path: Path) -> None:
    (tmp_path / "mro").mkdir()
    (tmp_path / "mro" / "lambda.json").write_text("{")
    live.value.look()
    assert live.log.of("mro.lambda.error")[0]["reason"] == "malformed"
    assert live.value.current is BUILT_IN


def test_without_posteriors_exactly_that_is_played() -> None:
    assert {read_lambda({"lambda_sem": 0.37, "lambda_val": 0.63}).play(one) for one in IDS} == {
        0.37
    }


def test_thompson_plays_the_best_draw() -> None:
    """Even posteriors play all buckets evenly; a clear winner is played nearly always; the same id
    plays the same bucket."""
    even = read_lambda(nightly())
    counts = Counter(even.play(one) for one in IDS)
    assert set(counts) == set(BUCKETS) and min(counts.values()) > 250
    clear = read_lambda(nightly({**EVEN, "0.3": [300.0, 10.0], "0.7": [10.0, 300.0]}))
    played = Counter(clear.play(one) for one in IDS)
    assert played.most_common(1)[0][0] == 0.3 and played[0.7] == 0
    assert [clear.play(one) for one in IDS[:50]] == [clear.play(one) for one in IDS[:50]]


@pytest.mark.spec("MRO-C-05")
def test_a_new_value_counts_from_the_next_request_without_an_error(live: Live) -> None:
    """Two threads ask without a pause while values come and go."""
    ctx = unit(np.random.default_rng(4), 1)[0]
    names = [f"c{number}" for number in range(8)]
    world = World(Ads(*map(campaign, names)), Exact(unit(np.random.default_rng(5), 80), names * 10))
    world.selector._weights = lambda: live.value.live
    done, played, faults = threading.Event(), set(), []

    def ask() -> None:
        number = 0
        while not done.is_set():
            number += 1
            try:
                answer = world.ask(ctx, f"t{number}")
                played.add((answer.lambda_version, answer.lambda_sem))
            except Exception as fault:
                faults.append(fault)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for version, sem in enumerate((0.6, 0.2, 0.8), start=1):
        live.put({"lambda_sem": sem, "lambda_val": round(1 - sem, 1)})
        assert wait_until(lambda v=version: live.value.version == v)  # type: ignore[misc]
        answer = world.ask(ctx, "next")
        assert (answer.lambda_version, answer.lambda_sem) == (version, sem)
        assert wait_until(lambda v=version, s=sem: (v, s) in played)  # type: ignore[misc]
    done.set()
    for thread in threads:
        thread.join()
    assert not faults and played <= {(0, 0.7), (1, 0.6), (2, 0.2), (3, 0.8)}
