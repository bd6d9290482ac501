# SPDX-License-Identifier: Apache-2.0
"""Datasets as arrays: labels, splits, batches, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from export.errors import ExportError
from export.tve.data import SAMPLES, Samples, batches, load, split, texts, worlds
from export.tve.tokens import SHOUTED, encode, train_tokenizer
from tests.export.tve import tiny_market


@pytest.fixture(scope="module")
def samples(market: Path) -> Samples:
    return load(market, train_tokenizer(texts(market), 400))


def test_rows_keep_their_context_ad_and_label(market: Path, samples: Samples) -> None:
    table = pl.read_parquet(market / SAMPLES)
    ads = pl.read_parquet(market / "ads.parquet")
    np.testing.assert_allclose(samples.label, np.log1p(table["clicks"].to_numpy()), rtol=1e-6)
    assert np.array_equal(samples.keys[:, 2], table["ad_id"].to_numpy())
    assert np.array_equal(ads["ad_id"].to_numpy()[samples.of_ad], table["ad_id"].to_numpy())


def test_two_worlds_are_one_dataset(tmp_path: Path) -> None:
    for seed in (1, 2):
        tiny_market.write(tmp_path / f"world{seed}", seed, rows=50)
    tokenizer = train_tokenizer(texts(tmp_path), 400)
    both = load(tmp_path, tokenizer)
    second = load(tmp_path / "world2", tokenizer)
    assert len(both) == 100 and set(both.keys[:, 0]) == {0, 1}
    assert np.array_equal(both.ctx[both.of_ctx[50:]], second.ctx[second.of_ctx])
    assert np.array_equal(both.ids[both.of_ad[50:]], second.ids[second.of_ad])


def test_dev_ads_are_never_trained_on(samples: Samples) -> None:
    learnt, dev = split(samples, 0.25, seed=3)
    assert not set(learnt.of_ad) & set(dev.of_ad)
    assert len(learnt) + len(dev) == len(samples)


def test_an_epoch_has_every_row_at_most_once(samples: Samples) -> None:
    rng = np.random.default_rng(0)
    rows = list(batches(samples, 128, 16, rng))
    seen = np.concatenate(rows)
    assert all(len(one) == 128 for one in rows) and len(np.unique(seen)) == len(seen)
    assert len(seen) > len(samples) - 128
    assert all(len(np.unique(samples.of_ad[one])) <= 24 for one in rows)


def test_a_small_dataset_is_one_short_batch(samples: Samples) -> None:
    few = samples.take(np.arange(10))
    (rows,) = batches(few, 128, 16, np.random.default_rng(0))
    assert sorted(rows) == list(range(10))


def test_missing_and_broken_datasets_are_refused(market: Path, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["an ad"], 300)
    with pytest.raises(ExportError, match="dataset_missing"):
        worlds(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(market, copy)
    table = pl.read_parquet(copy / SAMPLES)
    for column, value in (("ad_id", 10**6), ("delivered", 0)):
        wrong = table.with_columns(pl.lit(value, table.schema[column]).alias(column))
        wrong.write_parquet(copy / SAMPLES)
        with pytest.raises(ExportError, match="dataset_invalid"):
            load(copy, tokenizer)
    table.write_parquet(copy / SAMPLES)
    (copy / "ads.parquet").unlink()
    with pytest.raises(ExportError, match="dataset_missing"):
        load(copy, tokenizer)


def test_shouting_is_marked_and_folded() -> None:
    tokenizer = train_tokenizer(["buy our shoes today"] * 3, 400)
    plain, loud = encode(tokenizer, ["Buy our shoes today", "Buy our SHOES TODAY"])[0]
    assert not np.array_equal(plain, loud)
    assert SHOUTED in tokenizer.normalizer.normalize_str("Buy our SHOES TODAY")
    assert tokenizer.encode("").attention_mask == [0] * 48


def test_any_text_has_tokens() -> None:
    tokenizer = train_tokenizer(["an ad"], 300)
    ids, mask = encode(tokenizer, ["☀ ünïcode \x00", "x" * 10_000, "AB\u0345"])
    assert ids.shape == mask.shape == (3, 48) and (mask.sum(1) > 0).all()


def test_the_tokenizer_is_a_function_of_the_texts() -> None:
    words = ["one ad for shoes", "another ad for shoes", "hotels with a view"]
    assert train_tokenizer(words, 320).to_str() == train_tokenizer(words[::-1], 320).to_str()
