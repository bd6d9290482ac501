# SPDX-License-Identifier: Apache-2.0
"""Lines of real writers become events, and events messages that say the same."""

from __future__ import annotations

import io
import math
from base64 import b64decode
from pathlib import Path
from typing import Any

import fastavro
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bls.errors import SkynetError
from bls.events.encoder import NotOfSchemaError, compile_schema
from bls.events.from_line import from_line
from bls.events.schema import decode, encode, schema
from bls.events.topics import TOPICS

SOURCE, SEQ = "ab" * 8, (1 << 40) + 17
STREAMS = sorted(TOPICS.keys() - {"click.logs"})


def lines(folder: Path, stream: str) -> list[bytes]:
    return (folder / stream).read_bytes().splitlines()


def there_and_back(topic: str, line: bytes) -> dict[str, Any]:
    return decode(topic, encode(topic, from_line(topic, line, SOURCE, SEQ)))


@pytest.mark.parametrize("topic", STREAMS)
def test_every_field_of_a_real_line_arrives(logs: Path, topic: str) -> None:
    found = lines(logs, topic)
    assert found
    for line in found:
        event, said = there_and_back(topic, line), orjson.loads(line)
        assert event["source"] == SOURCE and event["seq"] == SEQ
        fields = {field["name"]: field for field in schema(topic)["fields"]}
        assert event.keys() == fields.keys()
        for name in said.keys() & fields.keys() - {"event_id"}:
            same(fields[name]["type"], said[name], event[name])


def same(kind: Any, said: Any, got: Any) -> None:
    """A JSON value and what became of it."""
    if isinstance(kind, dict) and kind["type"] == "array":
        assert len(said) == len(got)
        for one, other in zip(said, got, strict=True):
            same(kind["items"], one, other)
    elif isinstance(kind, dict):
        for field in kind["fields"]:
            same(field["type"], said[field["name"]], got[field["name"]])
    elif said is None:
        assert got == -1 if kind == "int" else math.isnan(got)
    elif kind == "bytes":
        assert got == b64decode(said)
    elif kind == "float":
        assert got == pytest.approx(said, rel=1e-6)
    elif kind == "long":
        assert (got - said) % 2**64 == 0
    else:
        assert got == said


@pytest.mark.parametrize("topic", STREAMS)
def test_the_fast_encoder_writes_what_the_slow_one_does(logs: Path, topic: str) -> None:
    for line in lines(logs, topic):
        event = from_line(topic, line, SOURCE, SEQ)
        slow = io.BytesIO()
        fastavro.schemaless_writer(slow, schema(topic), event)
        assert encode(topic, event)[10:] == slow.getvalue()


def test_an_events_id_names_its_token_and_row(logs: Path) -> None:
    event = there_and_back("mpc.decisions", lines(logs, "mpc.decisions")[0])
    parts = [event[name] for name in ("conv_id", "request_id", "token_idx", "row")]
    assert event["event_id"] == ":".join(map(str, parts))
    event = there_and_back("session.events", lines(logs, "session.events")[0])
    assert event["event_id"] == "s-1:e-1"
    for topic in STREAMS:
        ids = [there_and_back(topic, line)["event_id"] for line in lines(logs, topic)]
        assert len(set(ids)) == len(ids)


def test_a_u64_is_its_twos_complement(logs: Path) -> None:
    assert there_and_back("auction.bids", lines(logs, "auction.bids")[0])["seed"] == -1


def test_what_only_the_stream_knows_is_left_out(logs: Path) -> None:
    line = lines(logs, "auction.bids")[0]
    assert b'"chain":"' in line
    more = line[:-1] + b',"later":{"a":[1]}}'
    assert there_and_back("auction.bids", more) == there_and_back("auction.bids", line)


def test_fields_with_a_default_may_be_missing(logs: Path) -> None:
    fields = orjson.loads(lines(logs, "mpc.decisions")[0])
    for name in ("predictor", "tve"):
        fields.pop(name, None)
    event = there_and_back("mpc.decisions", orjson.dumps(fields))
    assert event["predictor"] == event["tve"] == ""


def broken(topic: str, line: bytes) -> str:
    with pytest.raises(SkynetError) as caught:
        there_and_back(topic, line)
    return caught.value.code


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"1", b"null", b"{}", b"\xff\xfe"])
def test_what_is_no_record(line: bytes) -> None:
    assert broken("auction.vcg", line) == "bad_event"


@pytest.mark.parametrize("topic", STREAMS)
def test_a_missing_or_wrong_field_is_a_bad_event(logs: Path, topic: str) -> None:
    fields = orjson.loads(lines(logs, topic)[0])
    for field in schema(topic)["fields"]:
        name = field["name"]
        if name in ("event_id", "source", "seq"):
            continue
        if "default" not in field:
            less = {key: value for key, value in fields.items() if key != name}
            assert broken(topic, orjson.dumps(less)) == "bad_event"
        assert broken(topic, orjson.dumps(fields | {name: {"a": 1}})) == "bad_event"
        if field["type"] in ("int", "string", "boolean") and "default" not in field:
            assert broken(topic, orjson.dumps(fields | {name: None})) == "bad_event"
        if field["type"] == "int":
            assert broken(topic, orjson.dumps(fields | {name: 2**31})) == "bad_event"


def test_evidence_that_is_no_base64(logs: Path) -> None:
    fields = orjson.loads(lines(logs, "auction.vcg")[0])
    assert broken("auction.vcg", orjson.dumps(fields | {"top_id": "?" * 8})) == "bad_event"


ANY = {
    "type": "record",
    "name": "any",
    "fields": [
        {"name": "whole", "type": "int"},
        {"name": "long", "type": "long"},
        {"name": "x", "type": "double"},
        {"name": "y", "type": "double"},
        {"name": "text", "type": "string"},
        {"name": "raw", "type": "bytes"},
        {"name": "flag", "type": "boolean"},
        {"name": "wide", "type": {"type": "array", "items": "double"}},
        {"name": "narrow", "type": {"type": "array", "items": "float"}},
        {"name": "numbers", "type": {"type": "array", "items": "int"}},
        {"name": "names", "type": {"type": "array", "items": "string"}},
    ],
}
I32 = st.integers(-(2**31), 2**31 - 1)
DATA = st.fixed_dictionaries(
    {
        "whole": I32,
        "long": st.integers(-(2**63), 2**63 - 1),
        "x": st.floats(),
        "y": st.floats(),
        "text": st.text(max_size=20),
        "raw": st.binary(max_size=200),
        "flag": st.booleans(),
        "wide": st.lists(st.floats(), max_size=5),
        "narrow": st.lists(st.floats(width=32), max_size=5),
        "numbers": st.lists(I32, max_size=80),
        "names": st.lists(st.text(max_size=5), max_size=4),
    }
)


@settings(deadline=None, max_examples=100)
@given(DATA)
def test_any_record_is_written_as_the_slow_one_does(datum: dict[str, Any]) -> None:
    slow = io.BytesIO()
    fastavro.schemaless_writer(slow, fastavro.parse_schema(ANY), datum)
    assert compile_schema(ANY)(datum) == slow.getvalue()


def test_a_schema_we_have_no_writer_for() -> None:
    union = {"fields": [{"name": "a", "type": "null"}]}
    with pytest.raises(TypeError):
        compile_schema(union)
    with pytest.raises(NotOfSchemaError):
        compile_schema(ANY)({})
