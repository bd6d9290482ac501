# SPDX-License-Identifier: Apache-2.0
"""Models swapped by keys while replies stream: no request fails, every token says what it used."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.models.model_key import PREDICTOR, TVE, ModelKey, canary_key, model_key
from bls.models.models import chosen
from bls.reply.draw import conversation
from client.launcher.stack import Stack
from export.manifest import file_sha256
from perf_analyzer_configs.bench.versions import another_version
from tests.models.stub import graph
from tests.system.probe import Probe

PAIR = {"bidders": [{"advertiser": "alpine_rail"}, {"advertiser": "harbor_hotels"}]}
READERS = 6
PREFIX = {PREDICTOR: "cbp", TVE: "tve"}
_NUMBERS = itertools.count()


class Rollout(Probe):
    """The stack's models, and the hand that promotes them."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._store = FolderStore(stack.settings.keys_folder)
        self._models = stack.settings.models_folder

    def version(self, subsystem: str) -> Path:
        return another_version(self._models, subsystem, f"v{next(_NUMBERS)}")

    def publish(self, key: str, folder: Path, share: float = 1.0, **changes: str) -> float:
        """Name it under a key; when that was, Unix seconds."""
        fields = {"version": folder.name, "uri": folder.as_uri(), "sha256": sha_of(folder)}
        value = ModelKey(**(fields | changes), share=share).value()
        version = self._store.newest(key) + 1
        self._store.put(Entry.of(key, version, int(time.time()), value))
        return time.time()

    def reload(self, sha256: str) -> dict[str, Any]:
        """The event of a version that was put to work."""
        self.eventually(lambda: bool(self._reloads(sha256)), 15)
        return self._reloads(sha256)[-1]

    def promote(self, subsystem: str) -> Path:
        folder = self.version(subsystem)
        self.publish(model_key(subsystem), folder)
        self.reload(sha_of(folder))
        return folder

    def used(self, conv_id: str) -> tuple[set[str], set[str]]:
        """Names of the versions behind a conversation's decisions: predictor's, value model's."""
        self.eventually(lambda: bool(self._lines(conv_id)))
        lines = self._lines(conv_id)
        return {line["predictor"] for line in lines}, {line["tve"] for line in lines}

    def _lines(self, conv_id: str) -> list[dict[str, Any]]:
        return [line for line in self.log("mpc.decisions") if line["conv_id"] == conv_id]

    def _reloads(self, sha256: str) -> list[dict[str, Any]]:
        told = self.log("model_reload.event")
        return [line for line in told if line["new_sha"] == sha256 and not line["error"]]


def sha_of(folder: Path) -> str:
    return file_sha256(folder / "manifest.json")


def name_of(folder: Path) -> str:
    return sha_of(folder)[:16]


@pytest.fixture(scope="module")
def rollout(stack: Stack) -> Iterator[Rollout]:
    """What is left: champions like what ships, no canary."""
    rollout = Rollout(stack)
    yield rollout
    for subsystem in (PREDICTOR, TVE):
        rollout.publish(model_key(subsystem), rollout.version(subsystem))


class Readers:
    """Streams replies without a pause; every fault is kept."""

    def __init__(self, probe: Probe) -> None:
        self._probe, self._done = probe, threading.Event()
        self.replies, self.faults = 0, []
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(READERS)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _read(self, reader: int) -> None:
        for number in itertools.count():
            if self._done.is_set():
                return
            try:
                asked = PAIR | {"conv_id": f"reader{reader}-{number}"}
                assert len(self._probe.tokens(max_tokens=6, skynet=asked)) == 6
                self.replies += 1
            except Exception as fault:
                self.faults.append(fault)


def settled(check: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait, on a machine that does other things too."""
    stop = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < stop
        time.sleep(0.2)


@pytest.mark.spec("ORC-I-02")
@pytest.mark.spec("ORC-C-04")
def test_swaps_under_streaming_replies_fail_nobody(rollout: Rollout) -> None:
    """Both models twice, a canary of each on and off, a bad version of each: 0 failed requests."""
    took: list[float] = []
    with Readers(rollout) as readers:
        settled(lambda: readers.replies >= READERS)
        for subsystem in (PREDICTOR, TVE) * 2:
            folder = rollout.version(subsystem)
            written = rollout.publish(model_key(subsystem), folder)
            event = rollout.reload(sha_of(folder))
            assert event["old_sha"] not in ("", event["new_sha"])
            took.append(event["ts"] - written)
            field = "predictor" if subsystem == PREDICTOR else "tve"
            settled(
                lambda field=field, folder=folder: any(
                    line[field] == name_of(folder) for line in rollout.log("mpc.decisions")
                )
            )
        for subsystem in (PREDICTOR, TVE):
            challenger = rollout.version(subsystem)
            rollout.publish(canary_key(subsystem), challenger, 0.5)
            rollout.reload(sha_of(challenger))
            count = readers.replies
            settled(lambda count=count: readers.replies > count + 2)
            rollout.publish(canary_key(subsystem), challenger, 0.0)
            rollout.publish(model_key(subsystem), challenger, sha256="0" * 64)
        count = readers.replies
        settled(lambda: readers.replies > count + 2)
    print(f"key to version at work: {', '.join(f'{s:.2f}' for s in took)} s; ", end="")
    print(f"{readers.replies} replies, {len(readers.faults)} faults")
    assert not readers.faults
    assert max(took) <= 5.0
    rollout.all_rows_free()


def test_a_canary_serves_its_conversations_and_no_other(rollout: Rollout) -> None:
    champions = {subsystem: rollout.promote(subsystem) for subsystem in (PREDICTOR, TVE)}
    challengers = {subsystem: rollout.version(subsystem) for subsystem in (PREDICTOR, TVE)}
    for subsystem, folder in challengers.items():
        rollout.publish(canary_key(subsystem), folder, 0.5)
        rollout.reload(sha_of(folder))
    names = [f"canary{number}" for number in range(8)]
    own = chosen(np.array([conversation(name) for name in names], np.uint64), 0.5)
    assert 0 < own.sum() < len(names)
    for name, mine in zip(names, own, strict=True):
        rollout.tokens(max_tokens=3, skynet=PAIR | {"conv_id": name})
        serving = challengers if mine else champions
        assert rollout.used(name) == ({name_of(serving[PREDICTOR])}, {name_of(serving[TVE])})
    for subsystem in (PREDICTOR, TVE):
        rollout.publish(canary_key(subsystem), challengers[subsystem], 0.0)
        rollout.eventually(lambda s=subsystem: rollout.metric(f"orch_{s}_canary_version") >= 1)
    time.sleep(1)  # the key store is looked at twice a second
    for name in names[:3]:
        rollout.tokens(max_tokens=2, skynet=PAIR | {"conv_id": f"{name}-after"})
        used = rollout.used(f"{name}-after")
        assert used == ({name_of(champions[PREDICTOR])}, {name_of(champions[TVE])})


def wrong_contract(folder: Path) -> None:
    replace_graph(folder, graph((0.0, 0.2, 0.5, 0.4, 0.7), width=128))


def not_onnx(folder: Path) -> None:
    replace_graph(folder, b"not a graph")


def wrong_hash(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"changed after it was hashed")


def replace_graph(folder: Path, content: bytes) -> None:
    """With a manifest that says so: every hash is right."""
    (folder / "model.onnx").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.onnx"] = file_sha256(folder / "model.onnx")
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("spoil", [wrong_hash, wrong_contract, not_onnx])
@pytest.mark.parametrize("subsystem", [PREDICTOR, TVE])
def test_a_bad_version_changes_nothing(
    rollout: Rollout, subsystem: str, spoil: Callable[[Path], None]
) -> None:
    """As champion it is refused and the old one stays; as canary its share gets the champion."""
    good, bad = rollout.promote(subsystem), rollout.version(subsystem)
    spoil(bad)
    failures = f"{PREFIX[subsystem]}_reload_failures_total"
    before = rollout.labelled(failures)
    rollout.publish(canary_key(subsystem), bad, 1.0)
    rollout.publish(model_key(subsystem), bad)
    rollout.eventually(lambda: rollout.labelled(failures) > before)
    refused = f"orch_{subsystem}_canary_reload_failures_total"
    rollout.eventually(lambda: rollout.labelled(refused) > 0)
    name = f"bad-{subsystem}-{spoil.__name__}"
    assert len(rollout.tokens(max_tokens=3, skynet=PAIR | {"conv_id": name})) == 3
    assert rollout.used(name)[subsystem == TVE] == {name_of(good)}
    missed = f"orch_{subsystem}_canary_fallbacks_total"
    rollout.eventually(lambda: rollout.labelled(missed, reason="missing") > 0)
    rollout.publish(canary_key(subsystem), bad, 0.0)
