# SPDX-License-Identifier: Apache-2.0
"""The keeper at work: a database that changes, versions that are named, an index that fails."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.brain.context import axes
from bls.errors import SkynetError, invalid
from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.models.places import Places
from bls.models.served import served_id, served_name
from bls.select.index import builder, keeper, version
from bls.select.index.embedder import Embed, Embedder, minilm
from bls.select.index.erased import ErasedCreatives, erased_creatives
from bls.select.index.keeper import INGEST, RELOAD, IndexKeeper
from bls.select.index.key import KEY, named_index
from bls.select.index.protocol import F32
from bls.select.index.stats import IndexStats
from bls.settings import Settings
from export.manifest import MANIFEST_NAME, file_sha256
from tests.select.index.ads import AXES, WIDTH, Ads, Lines, axes_of, clustered, until

P_K, OTHER = axes_of(0), axes_of(1)
COUNT = 200
POLL_S = 0.05


def vector(text: str) -> F32:
    """An embedding that depends on the text alone."""
    if not text.strip():
        raise invalid("empty_text", "There is no text to embed.", "text")
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "little")
    return clustered(1, seed, WIDTH)[0]


def embed() -> Embed:
    return vector


@pytest.fixture(scope="module")
def embeddings() -> F32:
    return clustered(COUNT, width=WIDTH)


@pytest.fixture
def ads(embeddings: F32) -> Ads:
    made = Ads()
    made.fill(embeddings)
    return made


@pytest.fixture
def log() -> Lines:
    return Lines()


@pytest.fixture
def keep(ads: Ads, log: Lines) -> Iterator[Callable[..., IndexKeeper]]:
    made: list[IndexKeeper] = []

    def start(wait_s: float = 30.0, **more: Any) -> IndexKeeper:
        one = IndexKeeper(ads, **({"embed": embed, "log": log, "poll_s": POLL_S} | more))
        made.append(one)
        one.start(P_K, AXES, wait_s)
        return one

    yield start
    for one in made:
        one.stop()


def found(
    kept: IndexKeeper, embedding: F32, k: int = 3, p_k: F32 = P_K, of: int = AXES
) -> set[str]:
    index = kept.generation(of)
    assert index is not None
    rows = index.search(axes.project(p_k, embedding), k).rows
    return {one.msg_id for row in rows if (one := index.record(int(row))) is not None}


@pytest.mark.spec("MRO-I-06")
def test_a_new_creative_is_embedded_and_found(
    keep: Callable[..., IndexKeeper], ads: Ads, log: Lines
) -> None:
    kept = keep()
    ads.put("new")
    until(lambda: "new" in found(kept, vector("text of new")))
    until(lambda: log.of(INGEST))
    assert log.of(INGEST)[-1]["msg_ids"] == ["new"]
    until(lambda: kept.stats.added == 1)
    assert kept.stats.embedded == 1


def test_minilm_embeds_them_by_default(ads: Ads) -> None:
    text = "A warm coat for long winters."
    assert abs(float(np.linalg.norm(minilm()(text))) - 1) < 1e-5


def test_a_text_that_cannot_be_embedded_holds_up_no_other(
    keep: Callable[..., IndexKeeper], ads: Ads
) -> None:
    ads.put("blank")
    ads.change("blank", text="  ")
    kept = keep()
    ads.put("new")
    until(lambda: "new" in found(kept, vector("text of new")))
    assert kept.stats.refusals.of(code="empty_text") == 1


def test_erased_texts_hold_up_no_other(ads: Ads) -> None:
    """However many wait in front, they are read past, and never embedded."""
    gone = [f"gone{number}" for number in range(100)]
    for name in [*gone, "new"]:
        ads.put(name)
    stats = IndexStats()
    embedder = Embedder(ads, embed, stats, lambda: frozenset(gone), lambda: None)
    assert embedder.step() == 1 and embedder.step() == 0
    assert [one.msg_id for one in ads.not_embedded()] == gone
    ads.put("newer")
    assert embedder.step() == 1 and stats.embedded == 2


@pytest.mark.spec("MRO-S-03")
@pytest.mark.parametrize("how", ["database", "erasure", "process"])
def test_a_deleted_creative_is_never_given_again(
    keep: Callable[..., IndexKeeper], ads: Ads, embeddings: F32, tmp_path: Path, how: str
) -> None:
    erased = ErasedCreatives(tmp_path / "creatives" / "erased.jsonl")
    kept = keep(erased=erased)
    assert "m17" in found(kept, embeddings[17])
    match how:
        case "database":
            ads.delete("m17")
        case "erasure":
            assert erased.delete("m17")
        case _:
            assert kept.delete("m17")
            assert not kept.delete("m17")
            assert "m17" not in found(kept, embeddings[17], COUNT)
    until(lambda: "m17" not in found(kept, embeddings[17], COUNT))
    if how != "database":
        ads.change("m17", reason="the database still has it")
        until(lambda: _seq(kept) == ads.creatives()[-1].seq)
    kept.rebuild(OTHER, 8)
    until(lambda: kept.generation(8))
    assert "m17" not in found(kept, embeddings[17], COUNT, OTHER, 8)
    assert "m17" not in found(kept, embeddings[17], COUNT)
    assert kept.stats.removed >= 1


def _seq(kept: IndexKeeper) -> int:
    index = kept.generation(AXES)
    return 0 if index is None else index.seq


def test_the_erasure_list_of_the_settings(tmp_path: Path) -> None:
    erased = erased_creatives(Settings(state=tmp_path))
    assert erased.current() == frozenset()
    assert erased.delete("m1") and not erased.delete("m1") and erased.current() == {"m1"}
    with (tmp_path / "creatives" / "erased.jsonl").open("ab") as file:
        file.write(b'{"msg_id":"m2"}\n{"msg')
    assert erased.current() == erased.current() == {"m1", "m2"}


def test_axes_are_never_mixed(keep: Callable[..., IndexKeeper], ads: Ads, embeddings: F32) -> None:
    kept = keep()
    old = kept.generation(AXES)
    assert kept.generation(8) is None
    kept.rebuild(OTHER, 8)
    kept.rebuild(OTHER, 8)
    assert kept.generation(AXES) is old
    until(lambda: kept.generation(8))
    new = kept.generation(8)
    assert new is not None and old is not None and kept.generation(AXES) is old
    assert np.allclose(new.vector(3), axes.project(OTHER, embeddings[3]), atol=2e-3)
    assert np.allclose(old.vector(3), axes.project(P_K, embeddings[3]), atol=2e-3)
    ads.put("new")
    until(lambda: "new" in found(kept, vector("text of new")))
    until(lambda: "new" in found(kept, vector("text of new"), 3, OTHER, 8))
    kept.rebuild(axes_of(2), 9)
    until(lambda: kept.generation(9))
    assert kept.generation(AXES) is None and kept.generation(8) is new  # the two asked for last
    with pytest.raises(SkynetError):
        kept.rebuild(np.ones((128, WIDTH), np.float32), 10)


def test_a_database_that_is_down_changes_nothing(
    keep: Callable[..., IndexKeeper], ads: Ads, embeddings: F32
) -> None:
    ads.down = True
    kept = keep(wait_s=0.2)
    assert kept.generation(AXES) is None
    until(lambda: kept.stats.refusals.of(code="ads_unavailable") and kept.stats.faults)
    ads.down = False
    until(lambda: kept.generation(AXES))
    ads.down = True
    assert "m17" in found(kept, embeddings[17])
    before = kept.stats.faults
    until(lambda: kept.stats.faults > before)
    assert "m17" in found(kept, embeddings[17])


class Poisoned:
    """An index whose every search fails."""

    kind = "flat"

    def __init__(self, main: Any) -> None:
        self.rows, self.vectors = main.rows, main.vectors

    def near(self, *asked: Any) -> Any:
        raise RuntimeError("invlists are not there")


@pytest.mark.spec("MRO-I-05")
def test_a_failed_index_is_built_again_under_live_searches(
    keep: Callable[..., IndexKeeper], embeddings: F32, log: Lines
) -> None:
    kept = keep()
    done, asked, failed = threading.Event(), [0], list[BaseException]()

    def search() -> None:
        while not done.is_set():
            asked[0] += 1
            try:
                assert "m17" in found(kept, embeddings[17])
            except (SkynetError, AssertionError) as fault:
                failed.append(fault)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(3):
            sick = kept.generation(AXES)
            assert sick is not None
            sick.main = Poisoned(sick.main)
            until(lambda sick=sick: kept.generation(AXES) is not sick)
            assert kept.stats.restarts == number + 1
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed
    until(lambda: len(log.of(RELOAD)) == 4)
    assert [line["reason"] for line in log.of(RELOAD)] == ["axes", *["RuntimeError"] * 3]
    kept.poll()
    assert kept.stats.reloads.of(source="database") == 4


class Forgetful(Poisoned):
    """An index that answers, with anything."""

    def near(self, ctx: F32, k: int, keep: object) -> Any:
        rows = np.arange(self.rows - k, self.rows)
        return rows, self.vectors(rows) @ ctx


@pytest.mark.spec("MRO-I-05")
def test_an_index_that_no_longer_finds_is_noticed(
    keep: Callable[..., IndexKeeper], embeddings: F32, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_PROBE_S", 0.1)
    kept = keep()
    sick = kept.generation(AXES)
    assert sick is not None
    sick.main = Forgetful(sick.main)
    until(lambda: kept.generation(AXES) is not sick)
    assert sick.broken == "probe" and "m17" in found(kept, embeddings[17])


def test_a_generation_that_has_grown_is_built_again(
    keep: Callable[..., IndexKeeper], ads: Ads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "_ADDED", 20)
    kept = keep()
    old = kept.generation(AXES)
    for number in range(30):
        ads.put(f"new{number}", clustered(1, 1_000 + number, WIDTH)[0])
    until(lambda: kept.generation(AXES) is not old)
    until(lambda: (new := kept.generation(AXES)) and new.living == COUNT + 30)
    assert kept.stats.restarts == 0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again at once."""
    monkeypatch.setattr(builder, "RETRY_S", 0.05)


def write(root: Path, ads: Ads, name: str, p_k: F32 = P_K, of: int = AXES) -> Path:
    folder = root / "models" / name
    folder.mkdir(parents=True)
    version.write(folder, ads, p_k, of, "flat", version=name)
    return folder


def name_it(store: FolderStore, folder: Path, sha256: str = "") -> str:
    """Make a version live; its SHA-256."""
    sha256 = sha256 or file_sha256(folder / MANIFEST_NAME)
    value = {"version": folder.name, "uri": f"file://{folder}", "sha256": sha256, "share": 1.0}
    store.put(Entry.of(KEY, 1 + store.newest(KEY), int(time.time()), value))
    return sha256


def named_by(root: Path, store: FolderStore, log: Lines) -> dict[str, Any]:
    """What lets a keeper take named versions."""
    named = named_index(store, Settings(state=root), log)
    return {"named": named, "places": Places(root / "models", root / "fetched")}


@pytest.mark.spec("MRO-U-09")
def test_a_named_version_is_taken_if_it_is_what_was_named(
    keep: Callable[..., IndexKeeper], ads: Ads, embeddings: F32, log: Lines, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "keys")
    sha256 = name_it(store, write(tmp_path, ads, "index_1"))
    kept = keep(**named_by(tmp_path, store, log))
    index = kept.generation(AXES)
    assert index is not None and index.version == "index_1" and index.living == COUNT
    assert "m17" in found(kept, embeddings[17])
    until(lambda: log.of(RELOAD))
    assert log.of(RELOAD)[0]["index_sha"] == sha256

    spoilt = write(tmp_path, ads, "index_2")
    vectors = spoilt / version.VECTORS
    vectors.write_bytes(bytes(vectors.stat().st_size))
    name_it(store, spoilt)
    until(lambda: kept.stats.refusals.of(code="model_hash_mismatch"))
    assert kept.generation(AXES) is index  # what was live stays
    until(lambda: log.of(RELOAD)[-1]["error"] == "model_hash_mismatch")

    name_it(store, write(tmp_path, ads, "index_3", OTHER, 8))
    until(lambda: kept.generation(8))
    assert kept.generation(AXES) is index and kept.stats.reloads.of(source="version") == 2
    assert "m17" in found(kept, embeddings[17], 3, OTHER, 8)


def settle(kept: IndexKeeper) -> int:
    """Build until nothing is wanted; how many it took."""
    for number in range(10):
        if not kept.build_next():
            return number
    raise AssertionError("it never ends")


@pytest.fixture
def still(ads: Ads, log: Lines, tmp_path: Path) -> Iterator[IndexKeeper]:
    """A keeper without threads; it names a version of axes 9, and wants 7 and 8."""
    store = FolderStore(tmp_path / "keys")
    name_it(store, write(tmp_path, ads, "index_9", axes_of(2), 9))
    kept = IndexKeeper(ads, embed=None, log=log, **named_by(tmp_path, store, log))
    kept.rebuild(P_K, AXES)
    kept.rebuild(OTHER, 8)
    yield kept
    kept.stop()


def test_a_version_of_third_axes_ends_the_building(still: IndexKeeper) -> None:
    assert settle(still) == 2
    assert still.generation(9) and still.generation(8), "those asked for last"
    assert still.generation(AXES) is None and settle(still) == 0


def test_a_version_of_third_axes_leaves_those_that_serve(
    still: IndexKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 was asked for last and cannot be built yet: 7 serves, whatever is named."""
    named, still._named = still._named, None
    monkeypatch.setattr(still._retry, "now", lambda what: what != served_name(8))
    assert settle(still) == 1 and still.generation(AXES)
    still._named = named
    assert settle(still) == 1 and still.generation(9) and still.generation(AXES)
    monkeypatch.setattr(still._retry, "now", lambda what: True)
    assert settle(still) == 1
    assert still.generation(AXES) and still.generation(8)


def test_a_spoilt_version_at_the_start_leaves_the_database(
    keep: Callable[..., IndexKeeper], log: Lines, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "keys")
    name_it(store, tmp_path / "models" / "nowhere", "0" * 64)
    kept = keep(**named_by(tmp_path, store, log))
    index = kept.generation(AXES)
    assert index is not None and index.version.startswith("database_")
    assert kept.stats.refusals.of(code="model_missing") >= 1


def test_open_takes_everything_from_the_settings(ads: Ads, log: Lines, tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, index="flat")
    kept = IndexKeeper.open(settings, ads, log)
    try:
        assert kept.start(P_K, served_id("ab" * 32))
    finally:
        kept.stop()
