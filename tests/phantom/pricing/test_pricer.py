# SPDX-License-Identifier: Apache-2.0
"""`session_price` without a server: one batch, typed errors, a canary by session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.models.batched import Answer
from bls.models.keys import ModelKeys
from bls.models.model_key import PRICE, ModelKey, canary_key, model_key
from bls.models.models import chosen
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.models.served import served_id
from bls.phantom.pricer import Pricer
from bls.reply.draw import conversation
from export.manifest import file_sha256
from tests.keys.operators import PERIOD_S, Remembered
from tests.phantom.pricing.stub import STATE, graph, linear, write_version

pytestmark = pytest.mark.spec("PH-13")
KEYS = np.array([conversation(f"s{number}") for number in range(200)], np.uint64)


class Served:
    """A pricer that follows keys; its slots are looked at by hand."""

    def __init__(self, tmp: Path) -> None:
        self.models = tmp / "models"
        self.store = FolderStore(tmp / "keys", PERIOD_S)
        self.log = JsonLog(tmp / "logs", 1_000)
        self.keys = ModelKeys(self.store, PRICE, Remembered())
        shipped = FolderPointer(write_version(tmp / "shipped", 1.1))
        places = Places(self.models, tmp / "cache")
        self.pricer = Pricer(shipped, self.log, self.keys, places)
        self.look()

    def name(self, key: str, folder: Path, share: float = 1.0) -> None:
        sha256 = file_sha256(folder / "manifest.json")
        value = ModelKey(folder.name, folder.as_uri(), sha256, share).value()
        self.store.put(Entry.of(key, self.store.newest(key) + 1, 1, value))
        self.keys.champion.look()
        self.keys.canary.look()
        self.look()

    def look(self) -> None:
        self.pricer.models.champion.poll()
        if self.pricer.models._canary is not None:
            self.pricer.models._canary.poll()

    def ask(self, keys: np.ndarray = KEYS) -> Answer:
        (answer,) = self.pricer.answer([states(len(keys))], [keys])
        assert isinstance(answer, Answer)
        return answer


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.pricer.models.stop()
    made.log.close()


def states(rows: int) -> np.ndarray:
    return np.ones((rows, STATE), np.float32)


def alone(folder: Path) -> Pricer:
    pricer = Pricer(FolderPointer(folder))
    pricer.models.champion.poll()
    return pricer


def code(answer: Answer | SkynetError) -> str:
    assert isinstance(answer, SkynetError)
    return answer.code


def test_requests_are_one_run_and_each_gets_its_own(tmp_path: Path) -> None:
    weight = [0.0] * STATE
    weight[0] = 0.1
    folder = write_version(tmp_path / "v", content=linear(weight, 1.0))
    pricer = alone(folder)
    bad = states(2)
    bad[1, 5] = np.nan
    first, wrong, second = pricer.answer([states(3), bad, 2 * states(1)])
    assert isinstance(first, Answer) and isinstance(second, Answer)
    np.testing.assert_allclose(first.output, np.full((3, 1), 1.1), rtol=1e-6)
    np.testing.assert_allclose(second.output, [[1.2]], rtol=1e-6)
    assert code(wrong) == "bad_state"
    assert set(first.served[:, 0]) == {served_id(file_sha256(folder / "manifest.json"))}
    assert pricer.stats.executions == 1 and pricer.stats.rows == 6
    assert pricer.stats.errors == {(("code", "bad_state"),): 1}
    assert [code(one) for one in pricer.answer([bad])] == ["bad_state"]


@pytest.mark.parametrize("bias", [0.0, -1.0, np.nan, np.inf])
def test_a_version_that_says_nonsense_is_not_taken(tmp_path: Path, bias: float) -> None:
    pricer = alone(write_version(tmp_path / "v", bias))
    assert code(pricer.answer([states(1)])[0]) == "model_missing"
    assert pricer.stats.alerts.of(alert="MODEL_MISSING") == 1


def test_nonsense_after_the_probe_is_an_error(tmp_path: Path) -> None:
    """1 at the probe's price, below 0 at 3 times of it."""
    weight = [0.0] * STATE
    weight[1] = -1.0
    pricer = alone(write_version(tmp_path / "v", content=linear(weight, 2.0)))
    good, bad = pricer.answer([states(1)])[0], pricer.answer([3 * states(1)])[0]
    assert isinstance(good, Answer) and code(bad) == "bad_price"


def test_a_graph_that_fails_or_answers_with_another_shape(tmp_path: Path) -> None:
    """Only for pages of 24: it passes the probe with none of them."""
    rows = numpy_helper.from_array(np.array([1, 1], np.int64), "shape")
    first = helper.make_node("Reshape", ["sum", "shape"], ["MULTIPLIER"])
    total = helper.make_node("ReduceSum", ["STATE"], ["sum"], keepdims=1)
    pricer = alone(write_version(tmp_path / "v", content=graph([total, first], [rows])))
    assert code(pricer.answer([states(1)])[0]) == "model_missing"


def test_another_kind_of_model_is_not_taken(tmp_path: Path) -> None:
    folder = write_version(tmp_path / "v")
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"session_price"', '"tve"'))
    assert code(alone(folder).answer([states(1)])[0]) == "model_missing"


def test_without_any_version(tmp_path: Path) -> None:
    pricer = alone(tmp_path)
    assert [code(one) for one in pricer.answer([states(1), states(2)])] == ["model_missing"] * 2


def test_a_canary_gets_its_share_of_sessions(served: Served) -> None:
    champion = write_version(served.models / "price" / "one", 1.0, "one")
    canary = write_version(served.models / "price" / "two", 1.2, "two")
    served.name(model_key(PRICE), champion)
    served.name(canary_key(PRICE), canary, 0.3)
    own = chosen(KEYS, 0.3)
    answer = served.ask()
    np.testing.assert_allclose(answer.output[:, 0], np.where(own, 1.2, 1.0), rtol=1e-6)
    assert served.pricer.models.stats.rows == own.sum()
    np.testing.assert_array_equal(served.ask().served, answer.served)
    one = KEYS[own][:1].repeat(5)
    assert len(set(served.ask(one).served[:, 0])) == 1, "a page is of one session: one version"
    served.name(canary_key(PRICE), canary, 0.0)
    assert set(np.round(served.ask().output[:, 0], 4)) == {np.float32(1.0)}


def test_a_canary_that_says_nonsense_is_replaced_by_the_champion(served: Served) -> None:
    weight = [0.0] * STATE
    weight[0] = -1.0  # 0.5 at the probe; below 0 at twice its demand
    canary = write_version(served.models / "price" / "two", 1.0, content=linear(weight, 1.5))
    served.name(canary_key(PRICE), canary, 1.0)
    (answer,) = served.pricer.answer([2 * states(200)], [KEYS])
    assert isinstance(answer, Answer)
    np.testing.assert_allclose(answer.output, 1.1, rtol=1e-6)
    assert served.pricer.models.stats.fallbacks.of(reason="bad_price") == 200


def test_a_version_by_key_that_is_not_what_it_says_changes_nothing(served: Served) -> None:
    folder = write_version(served.models / "price" / "three", 0.9)
    served.name(model_key(PRICE), folder)
    assert served.ask().output[0, 0] == np.float32(0.9)
    spoilt = write_version(served.models / "price" / "four", 0.8)
    (spoilt / "model.onnx").write_bytes(b"other")
    served.name(model_key(PRICE), spoilt)
    assert served.ask().output[0, 0] == np.float32(0.9)
    assert served.pricer.models.champion.stats.failures.of(code="model_hash_mismatch") == 1
