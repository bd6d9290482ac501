# SPDX-License-Identifier: Apache-2.0
"""What is new in a batch: above its source's mark, once."""

from __future__ import annotations

import polars as pl

from pipelines_dagster.defs.ingest.marks import fresh, offset_name, seq_name, seq_names
from pipelines_dagster.defs.ingest.origin import holes
from pipelines_dagster.lake.origins import Origin

TOPIC = "click.logs"


def rows(*found: tuple[int, str, int]) -> pl.DataFrame:
    """Partition, source, seq."""
    return pl.DataFrame(
        [(p, source, seq, f"{source}:{seq}") for p, source, seq in found],
        schema={
            "kafka_partition": pl.Int32,
            "source": pl.String,
            "seq": pl.Int64,
            "event_id": pl.String,
        },
        orient="row",
    )


def none_of(batch: pl.DataFrame) -> dict[str, int | None]:
    return dict.fromkeys(seq_names(TOPIC, batch))


def test_everything_is_new_at_first() -> None:
    batch = rows((0, "a", 1), (1, "a", 2), (0, "b", 1), (0, "a", 5))
    found = fresh(TOPIC, batch, none_of(batch))
    assert found.rows.equals(batch)
    assert found.marks == {
        seq_name(TOPIC, 0, "a"): 5,
        seq_name(TOPIC, 0, "b"): 1,
        seq_name(TOPIC, 1, "a"): 2,
    }
    assert (found.duplicates, found.disordered) == (0, 0)


def test_marks_are_of_source_and_partition() -> None:
    batch = rows((0, "a", 3), (1, "a", 2), (0, "b", 3), (0, "a", 4))
    found = fresh(TOPIC, batch, none_of(batch) | {seq_name(TOPIC, 0, "a"): 3})
    assert found.rows["event_id"].to_list() == ["a:2", "b:3", "a:4"]
    assert found.duplicates == 1


def test_a_relay_that_went_back_is_taken_once() -> None:
    batch = rows(*((0, "a", seq) for seq in (1, 2, 3, 2, 3, 4)))
    found = fresh(TOPIC, batch, none_of(batch))
    assert found.rows["seq"].to_list() == [1, 2, 3, 4]
    assert (found.duplicates, found.disordered) == (2, 0)


def test_nothing_new_moves_no_mark() -> None:
    batch = rows((0, "a", 1), (0, "a", 2))
    found = fresh(TOPIC, batch, {seq_name(TOPIC, 0, "a"): 2})
    assert (len(found.rows), found.marks, found.duplicates) == (0, {}, 2)


def test_an_event_id_counts_once_whoever_sends_it() -> None:
    batch = rows((0, "a", 1), (0, "a", 2)).with_columns(event_id=pl.lit("same"))
    marks = dict.fromkeys(seq_names("auction.bids", batch))
    assert fresh("auction.bids", batch, marks).rows["seq"].to_list() == [1]


def test_what_is_told_again_is_kept_every_time() -> None:
    batch = rows((0, "a", 1), (0, "a", 2), (0, "a", 2)).with_columns(event_id=pl.lit("same"))
    found = fresh(TOPIC, batch, none_of(batch))
    assert (found.rows["seq"].to_list(), found.duplicates) == ([1, 2], 1)


def test_broken_order_is_kept_and_counted() -> None:
    batch = rows((0, "a", 2), (0, "a", 1), (0, "a", 3))
    found = fresh(TOPIC, batch, none_of(batch))
    assert found.rows["seq"].to_list() == [2, 1, 3]
    assert (found.disordered, found.marks) == (1, {seq_name(TOPIC, 0, "a"): 3})


def test_names_are_apart() -> None:
    names = {offset_name("c", TOPIC, 1), seq_name(TOPIC, 1, "c"), offset_name("d", TOPIC, 1)}
    assert len(names) == 3


def _commit(version: int, ranges: str, cluster: str = "c") -> Origin:
    return Origin(version, "WRITE", 0, {"cluster": cluster, "ranges": ranges})


def test_holes_between_commits_are_found() -> None:
    commits = [
        _commit(1, '{"0": [0, 10], "1": [0, 5]}'),
        Origin(2, "OPTIMIZE", 0, {}),
        _commit(3, '{"0": [10, 20]}'),
        _commit(4, '{"0": [0, 3]}', "d"),
        _commit(5, '{"1": [7, 9]}'),
    ]
    assert holes(commits[:4]) == []
    (hole,) = holes(commits)
    assert (hole.cluster, hole.partition, hole.first, hole.next) == ("c", 1, 5, 7)
