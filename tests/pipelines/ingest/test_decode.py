# SPDX-License-Identifier: Apache-2.0
"""Messages to rows: the fast way equals the slow one, and nothing bad gets through or stops it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import fastavro
import numpy as np
import polars as pl
import pytest

from bls.events.encoder import VARINTS
from bls.events.schema import MARK, encode, fingerprint, schema
from bls.events.topics import TOPICS
from pipelines_dagster.defs.ingest import decode as module
from pipelines_dagster.defs.ingest.columns import bronze_schema, fields
from pipelines_dagster.defs.ingest.container import read_block
from pipelines_dagster.defs.ingest.decode import HEAD, Batch, decode
from pipelines_dagster.defs.ingest.onebyone import BAD, TRAILING, read_one
from pipelines_dagster.defs.ingest.testbed.events import NOW, events
from pipelines_dagster.defs.ingest.writers import writers


def batch(topic: str, values: list[bytes | None]) -> Batch:
    """Messages of two partitions in turn."""
    count = np.arange(len(values))
    return Batch(topic, values, (count % 2).astype(np.int32), count // 2, count + 1_000)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_decodes_to_what_was_encoded(topic: str) -> None:
    sent = list(events(topic, 50))
    found = decode(batch(topic, [encode(topic, event) for event in sent]))
    assert found.bad == {}
    assert found.rows.schema == bronze_schema(topic)
    names = list(fields(schema(topic)))
    assert found.rows.select(names).equals(pl.DataFrame(sent, schema=fields(schema(topic))))
    assert found.rows["kafka_partition"].to_list() == [0, 1] * 25
    assert found.rows["kafka_offset"].to_list() == sorted(list(range(25)) * 2)
    assert found.rows["dt"].unique().to_list() == ["2026-11-18"]


def test_columns_have_the_types_of_their_fields() -> None:
    vcg, trace = bronze_schema("auction.vcg"), bronze_schema("e2e.trace")
    assert vcg["pay"] == pl.List(pl.Float64)
    assert vcg["top_id"] == pl.Binary
    assert isinstance(trace["lines"], pl.List)
    assert trace["lines"].inner == pl.Struct(
        fields(schema("e2e.trace")["fields"][-1]["type"]["items"])
    )
    assert vcg.names()[-3:] == ["kafka_partition", "kafka_offset", "dt"]


def test_every_kind_of_bad_message_is_named_and_the_rest_kept() -> None:
    topic = "click.logs"
    good = [encode(topic, event) for event in events(topic, 3)]
    late = next(events(topic, 1)) | {"ts": 1e12}
    never = next(events(topic, 1)) | {"ts": float("nan")}
    values: list[bytes | None] = [
        good[0],
        None,
        b"",
        b"text, not Avro",
        good[1][:-1],
        good[1] + b"\0",
        encode(topic, late),
        encode(topic, never),
        encode("auction.bids", next(events("auction.bids", 1))),
        good[0][:HEAD],
        good[2],
    ]
    found = decode(batch(topic, values))
    assert found.rows["seq"].to_list() == [0, 2]
    assert found.rows["kafka_offset"].to_list() == [0, 5]
    assert found.bad == {
        1: "empty",
        2: "empty",
        3: "unknown_schema",
        4: BAD,
        5: TRAILING,
        6: "bad_time",
        7: "bad_time",
        8: "unknown_schema",
        9: BAD,
    }


def test_no_messages_and_only_bad_ones() -> None:
    for values in ([], [b"x" * 40]):
        found = decode(batch("click.logs", values))
        assert found.rows.schema == bronze_schema("click.logs")
        assert len(found.rows) == 0


@pytest.mark.parametrize("topic", ["click.logs", "e2e.trace", "auction.bids"])
def test_the_fast_way_takes_exactly_the_batches_the_slow_one_takes(topic: str) -> None:
    """Random damage: a batch decodes at once if and only if every message of it does."""
    draw = random.Random(7)
    good = [encode(topic, event)[HEAD:] for event in events(topic, 40)]
    avro = schema(topic)
    accepted = 0
    for _ in range(400):
        group = draw.sample(good, 4)
        damaged = bytearray(group[1])
        for _ in range(draw.choice((1, 1, 3))):
            match draw.randrange(4):
                case 0:
                    damaged[draw.randrange(len(damaged))] = draw.randrange(256)
                case 1:
                    del damaged[draw.randrange(len(damaged)) :]
                case 2:
                    damaged += draw.randbytes(3)
                case _:
                    at = draw.randrange(len(damaged) + 1)
                    damaged[at:at] = draw.randbytes(2)
            damaged = damaged or bytearray(b"\0")
        group[1] = bytes(damaged)
        slow = [read_one(payload, avro) for payload in group]
        fast = read_block(avro, group)
        if fast is not None:
            accepted += 1
            assert not isinstance(slow[1], str)
            assert fast.equals(pl.DataFrame(slow, schema=fields(avro)), null_equal=True)
        else:
            assert isinstance(slow[1], str)
    assert accepted > 20


def test_lengths_out_of_this_world_are_only_bad() -> None:
    head = encode("click.logs", next(events("click.logs", 1)))[:HEAD]
    for length in (-1, 2**31, 2**40, 2**62, -(2**63)):
        found = decode(batch("click.logs", [head + b"\x02" + VARINTS[length] + b"x" * 50]))
        assert list(found.bad.values()) == [BAD]
    clicks = encode("click.logs", next(events("click.logs", 1)))
    assert clicks[HEAD] == 2
    for number in (2**31, 2**40, -(2**62)):
        value = clicks[:HEAD] + VARINTS[number] + clicks[HEAD + 1 :]
        assert list(decode(batch("click.logs", [clicks, value])).bad.values()) == [BAD]
    bids = encode("auction.bids", next(events("auction.bids", 1)))[:HEAD]
    body = b"\x02" + b"\x02x" * 2 + b"\0" * 9 + b"\x02x\x02x\0\x02x\0\0" + b"\0" * 8 + b"\x02x\0"
    found = decode(batch("auction.bids", [bids + body + VARINTS[2**60]]))
    assert list(found.bad.values()) == [BAD]


def test_a_message_cannot_reach_into_the_next() -> None:
    """Two messages whose bytes, end to end, are two records, but cut elsewhere."""
    avro = schema("click.logs")
    one, two = (encode("click.logs", event)[HEAD:] for event in events("click.logs", 2))
    assert read_block(avro, [one, two]) is not None
    assert read_block(avro, [one[:-2], one[-2:] + two]) is None


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    values: list[bytes | None] = [encode("mro.select", e) for e in events("mro.select", 30)]
    values[11] = b"junk"
    whole = decode(batch("mro.select", values))
    monkeypatch.setattr(module, "BLOCK", 7)
    parts = decode(batch("mro.select", values))
    assert parts.rows.equals(whole.rows)
    assert parts.bad == whole.bad == {11: "unknown_schema"}


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An older schema of `tve.feedback`, without two fields, one more since dropped."""
    old = json.loads(json.dumps(schema("auction.policy")))
    old = {
        "type": "record",
        "name": "auction_policy",
        "namespace": "skynet",
        "fields": [
            found for found in old["fields"] if found["name"] not in ("blocked", "replacement")
        ],
    }
    old["fields"].insert(3, {"name": "dropped", "type": "string"})
    for found in old["fields"]:
        if found["name"] == "seq":
            found["type"] = "int"
    wide = dict(old, fields=[found for found in old["fields"] if found["name"] != "dropped"])
    for found in wide["fields"]:
        if found["name"] == "seq":
            wide["fields"][wide["fields"].index(found)] = dict(found, type="long")
    (tmp_path / "v1.avsc").write_text(json.dumps(old))
    (tmp_path / "v2.avsc").write_text(json.dumps(wide))
    (tmp_path / "other.avsc").write_text(json.dumps(dict(old, name="another")))
    monkeypatch.setattr(module, "writers", lambda topic: writers(topic, tmp_path))
    return tmp_path


def _write(path: Path, event: dict[str, object]) -> bytes:
    import io  # noqa: PLC0415

    parsed = fastavro.parse_schema(json.loads(path.read_text()))
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, parsed, event)
    return MARK + fingerprint(parsed) + buffer.getvalue()


def test_released_schemas_are_read_as_todays(released: Path) -> None:
    topic = "auction.policy"
    sent = list(events(topic, 3))
    values: list[bytes | None] = [
        _write(released / "v1.avsc", sent[0] | {"dropped": "x"}),
        encode(topic, sent[1]),
        _write(released / "v2.avsc", sent[2]),
    ]
    found = decode(batch(topic, values))
    assert found.bad == {}
    assert found.rows.schema == bronze_schema(topic)
    assert found.rows["seq"].to_list() == [0, 1, 2]
    assert found.rows["blocked"].to_list() == [-1, sent[1]["blocked"], -1]
    assert found.rows["ts"].to_list() == [NOW, NOW + 0.01, NOW + 0.02]
    assert len(writers(topic, released)) == 3
