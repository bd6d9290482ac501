# SPDX-License-Identifier: Apache-2.0
"""Champion and canary by key: who serves whom, what is refused, what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.brain.forecast.predictor import Predictor
from bls.brain.tve.estimator import Estimate, Estimator
from bls.contracts import CTX, FEATURES
from bls.jsonlog import JsonLog
from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.keys.signing import sign
from bls.keys.stats import counters as key_counters
from bls.models.batched import Answer
from bls.models.keys import ModelKeys
from bls.models.model_key import ModelKey, canary_key, model_key
from bls.models.models import chosen
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.models.served import served_id, served_name
from bls.reply.draw import conversation
from export.manifest import file_sha256
from tests.keys.operators import PERIOD_S, Operator, Remembered
from tests.models.stub import graph, write_version
from tests.tve_server import stub as tve_stub

DIGESTS = np.array([conversation(f"c{number}") for number in range(400)], np.uint64)
BIAS = (0.0, 0.2, 0.5, 0.4)


def sha_of(folder: Path) -> str:
    return file_sha256(folder / "manifest.json")


class Served:
    """A predictor that follows keys; the slots are looked at by hand."""

    subsystem = "pred"

    def __init__(self, tmp: Path, operator: Operator | None = None) -> None:
        self.models = tmp / "models"
        self.store = FolderStore(tmp / "keys", PERIOD_S)
        self.kept = FolderStore(tmp / "kept", PERIOD_S)
        self.told = Remembered()
        self.log = JsonLog(tmp / "logs", 1_000)
        self.shipped = self.make(tmp / "shipped", "shipped", 0.9)
        self.keys = ModelKeys(
            self.store,
            self.subsystem,
            self.told,
            operator.trusted if operator else None,
            self.kept,
        )
        places = Places(self.models, tmp / "cache")
        self.model: Any = self.serve(FolderPointer(self.shipped), places)
        self.look()

    def make(self, folder: Path, version: str, mark: float) -> Path:
        return write_version(folder, (*BIAS, mark), version)

    def serve(self, pointer: FolderPointer, places: Places) -> Any:
        return Predictor(pointer, self.log, self.keys, places)

    def version(self, name: str, mark: float) -> Path:
        return self.make(self.models / self.subsystem / name, name, mark)

    def name(
        self,
        key: str,
        folder: Path,
        share: float = 1.0,
        operator: Operator | None = None,
        **changes: str,
    ) -> None:
        """Publish, and wait until it was judged."""
        fields = {"version": folder.name, "uri": folder.as_uri(), "sha256": sha_of(folder)}
        value = ModelKey(**(fields | changes), share=share).value()
        entry = Entry.of(key, self.store.newest(key) + 1, 1, value)
        self.store.put(sign(entry, operator.private) if operator else entry)
        self.keys.champion.look()
        self.keys.canary.look()
        self.look()

    def look(self) -> None:
        self.model.models.champion.poll()
        if self.model.models._canary is not None:
            self.model.models._canary.poll()

    def marks(self, digests: np.ndarray = DIGESTS) -> tuple[list[float], list[str]]:
        """What each conversation gets: a number of its version, and the version's name."""
        features = np.zeros((len(digests), FEATURES), np.float32)
        (answer,) = self.model.answer([features], [digests])
        assert isinstance(answer, Answer)
        mark = np.round(answer.output[:, 4].astype(float), 3).tolist()
        return mark, [served_name(int(one)) for one in answer.served[:, 0]]

    def close(self) -> None:
        self.model.models.stop()
        self.log.close()


class ServedTve(Served):
    """The same of the value model."""

    subsystem = "tve"

    def make(self, folder: Path, version: str, mark: float) -> Path:
        return tve_stub.write_version(folder, (2.0, mark, 4.0, 0.3), version)

    def serve(self, pointer: FolderPointer, places: Places) -> Any:
        return Estimator(pointer, self.log, self.keys, places)

    def marks(self, digests: np.ndarray = DIGESTS) -> tuple[list[float], list[str]]:
        ctx = np.zeros((len(digests), CTX), np.float32)
        answer = self.model.answer(ctx, ["an ad"] * len(digests), "r", digests)
        assert isinstance(answer, Estimate)
        mark = np.round(answer.curve[:, 1].astype(float), 3).tolist()
        return mark, [served_name(int(one)) for one in answer.served[:, 0]]


@pytest.fixture(params=[Served, ServedTve], ids=["pred", "tve"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    made: Served = request.param(tmp_path)
    yield made
    made.close()


def test_a_name_of_16_digits() -> None:
    sha256 = "00f1" + "ab" * 30
    assert served_name(served_id(sha256)) == sha256[:16]


def test_the_share_is_of_conversations_and_only_grows() -> None:
    half, more = chosen(DIGESTS, 0.5), chosen(DIGESTS, 0.75)
    assert 150 < half.sum() < 250 and (more | ~half).all()
    assert not chosen(DIGESTS, 0.0).any() and chosen(DIGESTS, 1.0).all()
    by_hand = [(int(digest) % 2**32) / 2**32 < 0.5 for digest in DIGESTS]
    assert half.tolist() == by_hand


def test_a_key_names_the_champion(served: Served) -> None:
    """Shipped, until there is a key; then the key, whatever happens to it."""
    assert set(served.marks()[0]) == {0.9}
    first = served.version("v1", 0.1)
    served.name(model_key(served.subsystem), first)
    marks, names = served.marks()
    assert set(marks) == {0.1} and set(names) == {sha_of(first)[:16]}
    path = served.store._root / served.subsystem / "model.json"
    path.unlink()
    served.keys.champion.look()
    served.look()
    assert set(served.marks()[0]) == {0.1}
    assert served.keys.champion.refused == {"gone": 1}


@pytest.mark.parametrize("how", ["hash", "contract", "no graph", "outside", "gone", "value"])
def test_a_bad_champion_changes_nothing(served: Served, how: str, tmp_path: Path) -> None:
    key = model_key(served.subsystem)
    served.name(key, served.version("v1", 0.1))
    bad, changes = served.version("v2", 0.2), {}
    if how == "hash":
        changes["sha256"] = "0" * 64
    elif how == "contract":
        other = graph((*BIAS, 0.5), width=128)
        write_version(bad, version="v2", content=other)
    elif how == "no graph":
        (bad / "model.onnx").write_bytes(b"no graph")
    elif how == "outside":
        bad = served.make(tmp_path / "elsewhere", "v2", 0.2)
    elif how == "gone":
        changes["uri"] = (served.models / "none").as_uri()
    if how == "value":
        served.store.put(Entry.of(key, 2, 1, {"version": "v2"}))
        served.keys.champion.look()
        assert served.told.of("config.sig.error")[-1]["reason"] == "invalid_value"
    else:
        served.name(key, bad, **changes)
        assert served.model.models.champion.stats.failures.of() == 1
    assert set(served.marks()[0]) == {0.1}
    served.name(key, served.version("v3", 0.3))
    assert set(served.marks()[0]) == {0.3}


def test_a_canary_serves_its_share_by_conversation(served: Served) -> None:
    champion, canary = served.version("v1", 0.1), served.version("v2", 0.2)
    served.name(model_key(served.subsystem), champion)
    served.name(canary_key(served.subsystem), canary, 0.25)
    marks, names = served.marks()
    wanted = chosen(DIGESTS, 0.25)
    assert marks == [0.2 if own else 0.1 for own in wanted]
    assert names == [sha_of(canary if own else champion)[:16] for own in wanted]
    assert served.marks() == (marks, names), "the same again"
    alone = [served.marks(DIGESTS[n : n + 1])[0][0] for n in range(40)]
    assert alone == marks[:40]
    stats = served.model.models.stats
    assert stats.share == 0.25 and stats.rows == 2 * wanted.sum() + wanted[:40].sum()
    assert stats.fallbacks.of() == 0
    served.name(canary_key(served.subsystem), canary, 1.0)
    assert set(served.marks()[0]) == {0.2}
    served.name(canary_key(served.subsystem), canary, 0.0)
    assert set(served.marks()[0]) == {0.1} and stats.share == 0.0
    assert sum(served.model.models._canary.stats.model.values()) == 0


def test_a_canary_key_that_is_removed_ends_it(served: Served) -> None:
    served.name(canary_key(served.subsystem), served.version("v2", 0.2))
    assert set(served.marks()[0]) == {0.2}
    (served.store._root / served.subsystem / "canary.json").unlink()
    served.keys.canary.look()
    assert served.keys.challenger() is None
    served.look()
    assert set(served.marks()[0]) == {0.9}
    assert served.model.models._canary.version(None) is None
    served.name(canary_key(served.subsystem), served.version("v3", 0.3))
    assert set(served.marks()[0]) == {0.3}, "the next one counts"


@pytest.mark.parametrize("how", ["refused", "not yet", "fails"])
def test_a_broken_canary_costs_no_request(
    served: Served, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = served.version("v2", 0.2)
    if how == "refused":
        served.name(canary_key(served.subsystem), canary, 0.5, sha256="0" * 64)
    elif how == "not yet":
        monkeypatch.setattr(served, "look", lambda: None)
        served.name(canary_key(served.subsystem), canary, 0.5)
    else:
        served.name(canary_key(served.subsystem), canary, 0.5)
        broken = served.model.models._canary.current()
        session = getattr(broken, "_graph", broken)

        def fail(tensors: object) -> None:
            raise RuntimeError("in the middle of a request")

        monkeypatch.setattr(session, "run", fail)
    assert set(served.marks()[0]) == {0.9}
    stats = served.model.models.stats
    assert stats.fallbacks.of() == chosen(DIGESTS, 0.5).sum() and stats.rows == 0
    if how == "refused":
        served.log.close()
        path = served.model.models._log and served.shipped.parent / "logs" / "alerts"
        assert "CANARY_REFUSED" in path.read_text()


def test_a_swapped_canary_is_never_mistaken_for_the_last_one(served: Served) -> None:
    """Between the new key and the loaded version the champion answers."""
    key = canary_key(served.subsystem)
    served.name(key, served.version("v2", 0.2))
    value = ModelKey("v3", "file:///x", "1" * 64).value()
    served.store.put(Entry.of(key, 2, 1, value))
    served.keys.canary.look()
    assert set(served.marks()[0]) == {0.9}


def test_keys_that_must_be_signed(tmp_path: Path) -> None:
    operator = Operator()
    served = Served(tmp_path, operator)
    key = model_key("pred")
    served.name(key, served.version("v1", 0.1))
    assert set(served.marks()[0]) == {0.9}
    assert served.keys.champion.refused == {"unsigned": 1} and served.told.of("config.sig.alert")
    served.name(key, served.version("v1", 0.1), operator=operator)
    assert set(served.marks()[0]) == {0.1}
    served.close()


def test_a_restart_keeps_the_champion_and_falls_back_on_what_shipped(tmp_path: Path) -> None:
    """The store is lost: what was live is remembered. Its files are lost: better shipped than none,
    and it is taken as soon as it is there again."""
    served = Served(tmp_path)
    folder = served.version("v1", 0.1)
    served.name(model_key("pred"), folder)
    served.close()
    (tmp_path / "keys" / "pred" / "model.json").unlink()
    again = Served(tmp_path)
    assert set(again.marks()[0]) == {0.1}
    again.close()
    aside = folder.rename(tmp_path / "aside")
    bare = Served(tmp_path)
    assert set(bare.marks()[0]) == {0.9}
    assert bare.model.models.champion.stats.failures.of(code="model_missing") == 1
    aside.rename(folder)
    bare.model.models.champion._clock = lambda: 1e12
    bare.look()
    assert set(bare.marks()[0]) == {0.1}
    bare.close()


def test_series_name_what_they_are_of(served: Served) -> None:
    served.name(model_key(served.subsystem), served.version("v1", 0.1))
    series = served.model.models.series("x")
    names = {name for _, counters, gauges in series for name in (*counters, *gauges)}
    prefix = f"orch_{served.subsystem}"
    assert {"x_reloads_total", f"{prefix}_canary_share", *key_counters(f"{prefix}_model")} <= names
    for stats, counters, gauges in series:
        assert all(hasattr(stats, attribute) for attribute, _ in (counters | gauges).values())
