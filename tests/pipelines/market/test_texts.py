# SPDX-License-Identifier: Apache-2.0
"""Worlds out of given files, and the command."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bls.errors import SkynetError
from pipelines_dagster.defs.market.__main__ import main
from pipelines_dagster.defs.market.dataset import load_dataset
from pipelines_dagster.defs.market.simulate import Size, simulate
from pipelines_dagster.defs.market.texts import world_of_files

SIZE = Size(conversations=3, contexts=20, ads=15, pairs=100)
HEADER = "ad_title\tad_description\tbrand\n"


def encode(texts: list[str]) -> NDArray[np.float32]:
    made = np.stack([np.random.default_rng(len(t)).standard_normal(128) for t in texts])
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    chats, ads = tmp_path / "chats.jsonl.gz", tmp_path / "ads.tsv"
    with gzip.open(chats, "wt") as file:
        for i in range(30):
            turns = [{"role": "user", "content": "hello " * (i + 1)}] * 2
            file.write(json.dumps({"turns": turns}) + "\n")
    rows = [f"Thing {'x' * i}\tIt is a thing.\tBrand{i % 12}\n" for i in range(20)]
    ads.write_text(HEADER + "".join(rows))
    return chats, ads


def test_a_world_of_files_makes_a_dataset(files: tuple[Path, Path], tmp_path: Path) -> None:
    world = world_of_files(*files, SIZE, 1, encode)
    card = simulate(tmp_path / "out", 1, SIZE, world=world)
    data = load_dataset(tmp_path / "out")
    assert card["source"] == "texts" and data.contexts.height == 20 and data.ads.height == 15
    assert all("thing" in text.lower() for text in data.ads["text"])
    assert set(data.ads["advertiser"]) <= {f"Brand{i}" for i in range(12)}
    again = world_of_files(*files, SIZE, 1, encode)
    assert again.texts == world.texts and np.array_equal(again.ctx, world.ctx)


def test_an_auction_needs_enough_advertisers(files: tuple[Path, Path]) -> None:
    files[1].write_text(HEADER + "Thing\tIt is.\tBrand\n" * 9)
    with pytest.raises(SkynetError) as refused:
        world_of_files(*files, SIZE, 1, encode)
    assert refused.value.code == "too_few_advertisers"


def test_files_come_in_pairs(files: tuple[Path, Path]) -> None:
    with pytest.raises(SkynetError) as refused:
        world_of_files(files[0], None, SIZE, 1, encode)
    assert refused.value.code == "texts_missing"


def test_unreadable_files_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    chats, ads = files
    bad = tmp_path / "bad"
    for text in ("{", '{"turns": [{}]}', "[]"):
        bad.write_text(text)
        with pytest.raises(SkynetError) as refused:
            world_of_files(bad, ads, SIZE, 1, encode)
        assert refused.value.code == "texts_invalid"
    bad.write_text("title\nno\n")
    for table in (bad, tmp_path / "none"):
        with pytest.raises(SkynetError) as refused:
            world_of_files(chats, table, SIZE, 1, encode)
        assert refused.value.code == "texts_invalid"


def test_the_command_draws_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data"
    small = ["--conversations", "4", "--contexts", "9", "--num-ads", "64", "--pairs", "60"]
    events = ["--events", "2"]
    assert main(["simulate", "--out", str(out), "--seed", "2", *small, *events]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["bids"] == load_dataset(out).bids.height
    assert (out / "events" / "auction.bids").stat().st_size > 0


def test_the_command_explains_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--out", str(tmp_path), "--conversations", "0"]) == 2
    assert "bad_size" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["simulate", "--scenario", "calm"])


def test_the_bench_prints_speeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--conversations", "8"]) == 0
    speeds = json.loads(capsys.readouterr().out)
    assert min(speeds.values()) > 0
