# SPDX-License-Identifier: Apache-2.0
"""The whole way from files to a served version, with a network of one layer on made-up texts."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bls.contracts import Use
from bls.guard.guard import load_guard
from bls.settings import REPOSITORY
from export.errors import ExportError
from export.guard import sources
from export.guard.build import Built, train
from export.guard.config import GuardConfig

SMALL = replace(GuardConfig(), width=16, layers=1, heads=2, vocabulary=300, epochs=1, max_steps=3)
CONFIG = replace(SMALL, pieces_dropped=0.0)


def write_data(folder: Path, tweets: int = 900) -> Path:
    folder.mkdir()
    with gzip.open(folder / sources.TWEETS, "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["class", "text"])
        rows.writerows([n % 3, f"RT @x: tweet {n} is {'bad' if n % 3 < 2 else 'fine'} word{n}"]
                       for n in range(tweets))  # fmt: skip
    with gzip.open(folder / sources.CHATS, "wt") as file:
        for n in range(120):
            file.write(json.dumps({"turns": [{"content": f"a table for {n} people"}]}) + "\n")
    (folder / sources.PROMPTS).write_text(json.dumps([f"where to go in city{n}" for n in range(9)]))
    ads = "".join(f"Shoe {n}\tlight shoe of model{n}\n" for n in range(90))
    (folder / sources.PRODUCTS).write_text(f"ad_title\tad_description\n{ads}")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    root = tmp_path_factory.mktemp("build")
    return train(write_data(root / "data"), root / "out", CONFIG, seed=1)


def test_the_version_is_served_as_it_is(built: Built) -> None:
    (ruling,) = load_guard(built.folder).judge(["a table for 2"], Use.USER)
    assert 0 <= ruling.score <= 1


def test_figures_and_card_are_in_the_folder(built: Built) -> None:
    metrics = json.loads((built.folder / "policy_metrics.json").read_text())
    assert metrics["sample_size"] == sum(metrics[name] for name in ("FP", "FN", "TP", "TN"))
    assert {"user_fp_rate", "user_fn_rate", "ad_ads_wrong"} <= built.metrics.keys()
    assert "What it misses" in (built.folder / "MODEL_CARD.md").read_text()


def test_the_same_seed_gives_the_same_files(built: Built, tmp_path: Path) -> None:
    again = train(write_data(tmp_path / "data"), tmp_path / "out", CONFIG, seed=1)
    for name in ("model.onnx", "tokenizer.json", "policy_metrics.json"):
        assert (again.folder / name).read_bytes() == (built.folder / name).read_bytes()


def test_pieces_dropped_leave_the_tokenizer_as_it_was(built: Built, tmp_path: Path) -> None:
    again = train(write_data(tmp_path / "data"), tmp_path / "out", SMALL, seed=1)
    name = "tokenizer.json"
    assert (again.folder / name).read_bytes() == (built.folder / name).read_bytes()


def test_too_few_texts_or_files_are_no_data(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", tweets=60)
    for _ in range(2):
        with pytest.raises(ExportError) as raised:
            train(data, tmp_path / "out", CONFIG, seed=1)
        assert raised.value.code == "no_data"
        (data / sources.PROMPTS).unlink(missing_ok=True)


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "export.guard", "--data", tmp_path, "--out", tmp_path / "out"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is missing" in done.stderr
