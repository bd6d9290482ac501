# SPDX-License-Identifier: Apache-2.0
"""Versions checked before they serve, swapped in one step, refused without harm."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from bls.contracts import PREDICTOR_GRAPH, ModelContract, Tensor
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.onnx_model import OnnxModel, zeros
from bls.models.pointer import FolderPointer, Target
from bls.models.slot import ModelSlot
from bls.models.stats import counters, gauges
from export.errors import ExportError
from export.manifest import file_sha256
from tests.brain.clock import Clock
from tests.models.stub import graph, write_version

BIAS = (0.0, 0.2, 0.5, 0.4, 0.7)


def target(folder: Path) -> Target:
    return Target(folder.name, folder, file_sha256(folder / "manifest.json"))


def load(wanted: Target) -> OnnxModel:
    return OnnxModel(wanted.folder, PREDICTOR_GRAPH, wanted.sha256)


class Hand:
    """A pointer that a test moves."""

    def __init__(self, wanted: Target | None = None) -> None:
        self.wanted = wanted

    def __call__(self) -> Target | None:
        return self.wanted


def test_a_version_is_swapped_in_and_told(tmp_path: Path) -> None:
    log = JsonLog(tmp_path / "logs", 100)
    first, second = (write_version(tmp_path / name) for name in ("one", "two"))
    hand = Hand(target(first))
    slot = ModelSlot("m", load, hand, log=log)
    slot.poll()
    old = slot.current()
    slot.poll()
    assert slot.current() is old and slot.stats.reloads == 1
    (second / "pca.safetensors").touch()
    hand.wanted = target(second)
    slot.poll()
    assert slot.current() is not old
    assert slot.stats.reloads == 2 and slot.stats.reload_ms > 0
    assert slot.stats.model.of(version="two") == 1 and slot.stats.model.of(version="one") == 0
    log.close()
    events = (tmp_path / "logs" / "model_reload.event").read_text().splitlines()
    last = json.loads(events[1])
    assert (last["old_sha"], last["new_sha"]) == (old.sha256, hand.wanted.sha256)
    assert last["duration_ms"] > 0 and last["error"] == "" and last["model"] == "m"


def test_a_bad_version_is_refused_once_and_tried_again_later(tmp_path: Path) -> None:
    clock, told = Clock(), []
    hand = Hand(target(write_version(tmp_path / "one")))
    slot = ModelSlot(
        "m", load, hand, refused=lambda error, why: told.append((error, why)), clock=clock
    )
    slot.poll()
    good = slot.current()
    bad = write_version(tmp_path / "two", version="2")
    hand.wanted = target(bad)
    (bad / "model.onnx").write_bytes(b"half")
    for _ in range(4):
        slot.poll()
    assert slot.current() is good
    assert slot.stats.failures.of(code="model_hash_mismatch") == 1
    (bad / "model.onnx").write_bytes(graph(BIAS))
    slot.poll()
    assert slot.current() is good
    clock.pass_by(5)
    slot.poll()
    assert slot.current() is not good
    assert [error.code for error, _ in told] == ["model_missing"]
    assert "ExportError" in told[0][1]


def test_nothing_named_is_an_explicit_error(tmp_path: Path) -> None:
    slot: ModelSlot[OnnxModel] = ModelSlot("m", load, Hand())
    with pytest.raises(SkynetError) as caught:
        slot.current()
    assert (caught.value.code, caught.value.status) == ("model_missing", 503)
    slot.poll()
    slot.poll()
    assert slot.stats.failures.of(code="model_missing") == 1


def test_a_pointer_that_fails_keeps_the_old_one(tmp_path: Path) -> None:
    root = tmp_path / "models"
    write_version(root)
    clock = Clock()
    slot = ModelSlot("m", load, FolderPointer(root), clock=clock)
    slot.poll()
    kept = slot.current()
    for text in ("{", "[]", '{"folder": "../one", "sha256": ""}', '{"folder": "one"}'):
        (root / "current.json").write_text(text)
        clock.pass_by(6)
        slot.poll()
        assert slot.current() is kept
    assert slot.stats.failures.of() == 4


def test_a_folder_points_at_itself_or_at_what_it_names(tmp_path: Path) -> None:
    pointer = FolderPointer(tmp_path)
    assert pointer() is None
    write_version(tmp_path)
    assert pointer() == Target(tmp_path.name, tmp_path, file_sha256(tmp_path / "manifest.json"))
    (tmp_path / "current.json").write_text('{"folder": "v2", "sha256": "ab"}')
    assert pointer() == Target("v2", tmp_path / "v2", "ab")


def test_requests_run_on_through_many_swaps(tmp_path: Path) -> None:
    """Every answer is one version's, none is an error."""
    versions = [
        target(write_version(tmp_path / f"v{n}", (*BIAS[:4], n / 10), str(n))) for n in range(5)
    ]
    hand = Hand(versions[0])
    slot = ModelSlot("m", load, hand)
    slot.start(period_s=0.001)
    done, seen, faults = threading.Event(), set(), []

    def ask() -> None:
        tensors = zeros(PREDICTOR_GRAPH, 3)
        while not done.is_set():
            try:
                (answer,) = slot.current().run(tensors)
                assert len(set(answer[:, 4].tolist())) == 1
                seen.add(round(float(answer[0, 4]), 3))
            except Exception as fault:
                faults.append(fault)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number, version in enumerate(versions):
        hand.wanted = version
        stop = time.monotonic() + 10
        while round(number / 10, 3) not in seen and time.monotonic() < stop:
            time.sleep(0.005)
    done.set()
    for thread in threads:
        thread.join()
    slot.stop()
    assert not faults and seen == {0.0, 0.1, 0.2, 0.3, 0.4}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no graph", "model_contract"),
        (graph(BIAS, width=128), "model_contract"),
        (graph(BIAS, width=151), "model_contract"),
    ],
)
def test_a_graph_of_another_contract_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    folder = write_version(tmp_path, content=content)
    with pytest.raises(ExportError) as caught:
        OnnxModel(folder, PREDICTOR_GRAPH)
    assert caught.value.code == code
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    "contract",
    [
        dataclasses.replace(PREDICTOR_GRAPH, inputs=(Tensor("OTHER", "FP32", (150,)),)),
        dataclasses.replace(PREDICTOR_GRAPH, inputs=(Tensor("FEATURES", "FP64", (150,)),)),
        dataclasses.replace(PREDICTOR_GRAPH, outputs=(Tensor("MIXTURE", "FP32", (5, 1)),)),
        dataclasses.replace(PREDICTOR_GRAPH, outputs=(Tensor("MIXTURE", "FP32", (4,)),)),
    ],
)
def test_a_contract_of_another_graph_is_refused(tmp_path: Path, contract: ModelContract) -> None:
    with pytest.raises(ExportError) as caught:
        OnnxModel(write_version(tmp_path), contract)
    assert caught.value.code == "model_contract"


def test_a_dim_that_may_vary_fits_any(tmp_path: Path) -> None:
    contract = dataclasses.replace(PREDICTOR_GRAPH, outputs=(Tensor("MIXTURE", "FP32", (-1,)),))
    model = OnnxModel(write_version(tmp_path), contract)
    (answer,) = model.run(zeros(PREDICTOR_GRAPH, 2))
    np.testing.assert_allclose(answer, np.tile(BIAS, (2, 1)), rtol=1e-6)


def test_the_hash_that_was_promised_is_the_manifests(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        OnnxModel(write_version(tmp_path), PREDICTOR_GRAPH, "0" * 64)
    assert caught.value.code == "model_hash_mismatch"


def test_a_manifest_that_does_not_list_the_model_is_refused(tmp_path: Path) -> None:
    folder = write_version(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ExportError) as caught:
        OnnxModel(folder, PREDICTOR_GRAPH)
    assert caught.value.code == "model_hash_mismatch"
    (folder / "model.onnx").unlink()
    with pytest.raises(ExportError) as caught:
        OnnxModel(folder, PREDICTOR_GRAPH)
    assert caught.value.code == "model_missing"


def test_series_have_the_subsystems_prefix() -> None:
    assert "cbp_reload_ms" in gauges("cbp") and "tve_reloads_total" in counters("tve")
