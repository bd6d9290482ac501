# SPDX-License-Identifier: Apache-2.0
"""Messages: the header, reading what older writers wrote, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from bls.errors import SkynetError
from bls.events import schema
from bls.events.schema import MARK, decode, encode, fingerprint, header
from bls.events.topics import TOPICS

EVENT = {
    "v": 1,
    "event_id": "c:r:kite",
    "source": "s",
    "seq": 7,
    "ts": 1e9,
    "conv_id": "c",
    "request_id": "r",
    "advertiser": "kite",
    "impressions": 1,
    "clicks": 1,
    "dwell_ms": 2**40,
    "agent_probability": 0.25,
    "invalid": False,
}


def crc_64_avro(data: bytes) -> int:
    """Straight from the specification, bit by bit."""
    empty = crc = 0xC15D213AA4D7A795
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (empty if crc & 1 else 0)
    return crc


def test_the_fingerprint_is_little_endian_as_the_specification_says() -> None:
    assert crc_64_avro(b'"int"') == 0x7275D51A3F395C8F  # the value published with Avro's own tests
    for topic in TOPICS:
        canonical = fastavro.schema.to_parsing_canonical_form(schema.schema(topic))
        expected = crc_64_avro(canonical.encode()).to_bytes(8, "little")
        assert fingerprint(schema.schema(topic)) == expected
        assert header(topic) == b"\xc3\x01" + expected


def test_every_topic_has_a_schema_that_begins_alike() -> None:
    for name, topic in TOPICS.items():
        first = ["v", "event_id", "source", "seq", "ts", *topic.about]
        fields = [field["name"] for field in schema.schema(name)["fields"]]
        assert fields[: len(first)] == first and set(topic.key) <= set(fields)


def test_a_message_comes_back() -> None:
    assert decode("click.logs", encode("click.logs", EVENT)) == EVENT


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc3\x01",
        b"{}" * 20,
        encode("click.logs", EVENT)[:-3],
        encode("click.logs", EVENT) + b"x",
        header("click.logs"),
        header("click.logs") + b"\xff" * 12,
    ],
)
def test_what_is_no_message(message: bytes) -> None:
    with pytest.raises(SkynetError) as caught:
        decode("click.logs", message)
    assert caught.value.code == "bad_event"


def test_a_schema_nobody_knows() -> None:
    with pytest.raises(SkynetError) as caught:
        decode("click.logs", MARK + bytes(8) + b"rest")
    assert caught.value.code == "unknown_schema"
    with pytest.raises(SkynetError) as caught:
        decode("e2e.trace", encode("click.logs", EVENT))
    assert caught.value.code == "unknown_schema"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clicks", None),
        ("clicks", 1.5),
        ("clicks", 2**31),
        ("dwell_ms", 2**63),
        ("conv_id", 3),
        ("conv_id", "\ud800"),
        ("ts", "now"),
    ],
)
def test_an_event_that_does_not_fit(field: str, value: object) -> None:
    with pytest.raises(SkynetError) as caught:
        encode("click.logs", EVENT | {field: value})
    assert caught.value.code == "bad_event" and "now" not in caught.value.message


def test_a_topic_nobody_knows() -> None:
    with pytest.raises(SkynetError) as caught:
        encode("no.topic", EVENT)
    assert caught.value.code == "unknown_topic"


@pytest.fixture
def grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The release of today, and a schema that has one field more."""
    today = json.loads((schema.FOLDER / "click.logs.avsc").read_text())
    more = {"name": "device", "type": "string", "default": "unknown"}
    for name, fields in (("released", today["fields"]), ("schemas", [*today["fields"], more])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "click.logs.avsc").write_text(json.dumps(today | {"fields": fields}))
    old = encode("click.logs", EVENT)
    monkeypatch.setattr(schema, "FOLDER", tmp_path / "schemas")
    monkeypatch.setattr(schema, "RELEASED", tmp_path / "released")
    cached = (schema.schema, schema.header, schema.writers, schema.encoder)
    for one in cached:
        one.cache_clear()
    yield {"message": old}
    monkeypatch.undo()
    for one in cached:
        one.cache_clear()


def test_a_message_of_the_last_release_takes_the_new_fields_default(grown: dict[str, Any]) -> None:
    assert decode("click.logs", grown["message"]) == EVENT | {"device": "unknown"}
    new = encode("click.logs", EVENT | {"device": "phone"})
    assert new[:10] != grown["message"][:10]
    assert decode("click.logs", new)["device"] == "phone"
