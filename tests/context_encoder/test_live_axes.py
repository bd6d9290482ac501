# SPDX-License-Identifier: Apache-2.0
"""Axes by key: swapped whole, the version before them held, refused without harm."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bls.brain.context import axes, files
from bls.brain.context.encoder import ContextEncoder
from bls.brain.context.live_axes import KEY, LiveAxes
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.keys.folder import FolderStore
from bls.keys.signing import sign
from bls.models.model_key import ModelKey
from bls.models.places import Places
from bls.models.served import served_id
from export.manifest import file_sha256
from tests.context_encoder.versions import turned, write_axes
from tests.keys.operators import PERIOD_S, Operator, unsigned

TEXT = "A weekend in Lisbon"
SHIPPED = served_id(file_sha256(files.FOLDER / "manifest.json"))


def sha_of(folder: Path) -> str:
    return file_sha256(folder / "manifest.json")


class Followed:
    """Axes that follow a key store; looked at by hand."""

    def __init__(self, tmp: Path, operator: Operator | None = None) -> None:
        self.tmp, self.operator = tmp, operator
        self.store = FolderStore(tmp / "keys", PERIOD_S)
        self.log = JsonLog(tmp / "logs", 100)
        self.live = LiveAxes(
            self.store,
            Places(tmp / "models", tmp / "cache"),
            self.log,
            trusted=operator.trusted if operator else None,
            kept=FolderStore(tmp / "kept", PERIOD_S),
        )
        self.live.slot.poll()
        self.encoder = ContextEncoder(held=self.live.held)

    def make(self, name: str, seed: int = 1, p_k: np.ndarray | None = None) -> Path:
        return write_axes(self.tmp / "models" / "axes" / name, seed, p_k)

    def publish(self, folder: Path, signed: bool = True, **changes: str) -> int:
        """The `SERVED` of the version, once its key was looked at."""
        fields = {"version": folder.name, "uri": folder.as_uri(), "sha256": sha_of(folder)}
        value = ModelKey(**(fields | changes)).value()
        entry = unsigned(self.store.newest(KEY) + 1, value, KEY)
        self.store.put(sign(entry, self.operator.private) if self.operator and signed else entry)
        self.live.key.look()
        self.live.slot.poll()
        return served_id(sha_of(folder))

    def held(self) -> list[int]:
        return [version.served for version in self.live.held().versions]

    def close(self) -> None:
        self.live.stop()
        self.log.close()


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    made = Followed(tmp_path)
    yield made
    made.close()


def test_until_a_key_names_others_the_shipped_axes_serve(followed: Followed) -> None:
    assert followed.held() == [SHIPPED]
    vectors, served = followed.encoder.answer([TEXT], [0])
    assert (vectors == ContextEncoder().encode([TEXT])).all() and served.tolist() == [SHIPPED]


def test_two_generations_are_held_and_each_is_answered_on_its_own_axes(
    followed: Followed,
) -> None:
    embedded = followed.encoder.embedding(TEXT)
    first = followed.publish(followed.make("axes_1", 1))
    assert followed.held() == [first, SHIPPED]
    second = followed.publish(followed.make("axes_2", 2))
    assert followed.held() == [second, first]
    vectors, served = followed.encoder.answer([TEXT] * 3, [0, first, second])
    assert served.tolist() == [second, first, second]
    for row, seed in enumerate((2, 1, 2)):
        assert (vectors[row] == axes.project(turned(seed), embedded)).all()
    assert (vectors[0] != vectors[1]).any() and followed.encoder.misses == 1, "embedded once"
    with pytest.raises(SkynetError) as raised:
        followed.encoder.answer([TEXT], [SHIPPED])
    assert (raised.value.code, raised.value.status) == ("axes_unknown", 409)


def test_the_same_version_named_again_changes_nothing(followed: Followed) -> None:
    folder = followed.make("axes_1", 1)
    first = followed.publish(folder)
    followed.publish(folder, version="axes_1_again")
    assert followed.held() == [first, SHIPPED]


@pytest.mark.parametrize(
    "how", ["hash", "file", "not orthonormal", "shape", "tokenizer", "backbone", "gone", "value"]
)
def test_bad_axes_change_nothing(followed: Followed, how: str) -> None:
    first = followed.publish(followed.make("axes_1", 1))
    rows = {"not orthonormal": np.full((128, 384), 0.1), "shape": np.eye(64, 384)}
    bad, changes = followed.make("axes_2", 2, rows.get(how)), {}
    manifest = bad / "manifest.json"
    told = json.loads(manifest.read_text())
    if how == "hash":
        changes["sha256"] = "0" * 64
    elif how == "file":
        (bad / files.PROJECTION).write_bytes(b"spoilt")
    elif how == "tokenizer":
        (bad / files.TOKENIZER).write_text("{}")
        told["files"][files.TOKENIZER] = file_sha256(bad / files.TOKENIZER)
        manifest.write_text(json.dumps(told))
    elif how == "backbone":
        told["details"]["backbone"]["sha256"] = "0" * 64
        manifest.write_text(json.dumps(told))
    elif how == "gone":
        changes["uri"] = (bad.parent / "none").as_uri()
    if how == "value":
        followed.store.put(unsigned(2, {"p_k": [1.0]}, KEY))
        followed.live.key.look()
        assert followed.live.key.refused == {"invalid_value": 1}
    else:
        followed.publish(bad, **changes)
        assert followed.live.slot.stats.failures.of() == 1
    assert followed.held() == [first, SHIPPED]
    third = followed.publish(followed.make("axes_3", 3))
    assert followed.held() == [third, first]


def test_after_a_start_the_version_before_is_found_again(followed: Followed) -> None:
    first = followed.publish(followed.make("axes_1", 1))
    second = followed.publish(followed.make("axes_2", 2))
    again = Followed(followed.tmp)
    assert again.held() == [second, first]
    again.close()
    (followed.tmp / "keys/mro/axes/p_k.json").unlink()
    bare = Followed(followed.tmp)
    assert bare.held() == [second, first], "what was live is remembered"
    bare.close()
    (followed.tmp / "models/axes/axes_1/manifest.json").unlink()
    gone = Followed(followed.tmp)
    assert gone.held() == [second, SHIPPED]
    gone.close()


def test_keys_that_must_be_signed(tmp_path: Path) -> None:
    followed = Followed(tmp_path, Operator())
    folder = followed.make("axes_1", 1)
    followed.publish(folder, signed=False)
    assert followed.held() == [SHIPPED] and followed.live.key.refused == {"unsigned": 1}
    first = followed.publish(folder)
    second = followed.publish(followed.make("axes_2", 2))
    assert followed.held() == [second, first]
    followed.close()
    again = Followed(tmp_path, followed.operator)
    assert again.held() == [second, first]
    again.close()


def test_requests_go_on_through_a_swap(followed: Followed) -> None:
    """Every vector is whole: on the axes its `SERVED` names."""
    folders = [followed.make(f"axes_{seed}", seed) for seed in range(1, 5)]
    embedded = followed.encoder.embedding(TEXT)
    wanted = {
        served_id(sha_of(f)): axes.project(turned(n), embedded) for n, f in enumerate(folders, 1)
    }
    wanted[SHIPPED] = ContextEncoder().vector(TEXT)
    done, faults, seen = threading.Event(), [], set()

    def ask() -> None:
        while not done.is_set():
            try:
                vectors, served = followed.encoder.answer([TEXT, TEXT], [0, 0])
                assert served[0] == served[1]
                assert (vectors == wanted[int(served[0])]).all()
                seen.add(int(served[0]))
            except Exception as fault:
                faults.append(fault)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for folder in folders:
        followed.publish(folder)
    done.set()
    for thread in threads:
        thread.join()
    assert not faults and len(seen) >= 2
