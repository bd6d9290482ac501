# SPDX-License-Identifier: Apache-2.0
"""The lake in an object store: the same, and silent about it when it fails."""

from __future__ import annotations

import re
from datetime import date

import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.testbed.s3 import PASS, REFUSE, SWALLOW, Store
from pipelines_dagster.lake.content import content_sha256, in_order
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.lake.rows import rows


@pytest.fixture
def bucket(store: Store, request: pytest.FixtureRequest) -> Lake:
    store.open()
    return Lake(f"{store.root}/{request.node.name}", store.options)


TABLE = "bronze/things"


def test_the_same_commits_leave_the_same_content(bucket: Lake, lake: Lake) -> None:
    hashes = []
    for one in (bucket, lake):
        one.append(TABLE, rows(0), progress={"reader": 1}, after={"reader": None})
        one.append(TABLE, rows(4), progress={"reader": 2}, after={"reader": 1})
        one.delete(TABLE, "seq = 1")
        one.compact(TABLE)
        one.drop_partitions(TABLE, date(2026, 11, 18))
        one.vacuum(TABLE, 0)
        assert one.residue(TABLE, "seq = 1") == []
        assert one.progress_of(TABLE, "reader") == 2
        hashes.append(content_sha256(in_order(one.scan(TABLE).collect())))
    assert hashes[0] == hashes[1]


def test_an_answer_that_is_lost_leaves_the_commit_in(bucket: Lake, store: Store) -> None:
    bucket.append(TABLE, rows(0), progress={"reader": 1})
    store.rule = lambda method, path: SWALLOW if method == "PUT" and "_delta_log" in path else PASS
    with pytest.raises(SkynetError) as lost:
        bucket.append(TABLE, rows(4), progress={"reader": 2}, after={"reader": 1})
    assert lost.value.code in ("lake_unavailable", "progress_moved")
    store.open()
    assert bucket.progress_of(TABLE, "reader") == 2
    assert bucket.scan(TABLE).collect().height == 8


def test_a_store_that_is_down_is_named_by_table_alone(bucket: Lake, store: Store) -> None:
    bucket.append(TABLE, rows(0))
    store.rule = lambda method, path: REFUSE
    for ask in (
        lambda: bucket.append(TABLE, rows(4)),
        lambda: bucket.progress(TABLE, ["reader"]),
    ):
        with pytest.raises(SkynetError) as failed:
            ask()
        assert failed.value.code == "lake_unavailable"
        assert failed.value.__suppress_context__
        assert not re.search(r"http|127\.0|testbed|AWS", str(failed.value))


def test_options_are_not_shown(store: Store) -> None:
    assert "endpoint" not in repr(Lake(store.root, store.options))
