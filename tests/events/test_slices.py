# SPDX-License-Identifier: Apache-2.0
"""Record batches stay below what a broker takes, however long the names in them are."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from bls.events.relay.slices import READ, Slice, Slicer
from bls.events.relay.tail import Tail
from bls.events.topics import TOPICS
from tests.events.written import write_all

KAFKA = 1_048_588
"""`message.max.bytes` of a broker that nobody configured."""
CONV = "c" * 128
CLICK = {"v": 1, "ts": 1e9, "advertiser": "a", "impressions": 1, "clicks": 0, "dwell_ms": 0}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_all(folder)
    (folder / "click.logs").write_bytes(orjson.dumps(CLICK) + b"\n")
    return folder


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("request_id", ["r", "r" * 128])
def test_batches_of_the_longest_names(
    topic: str, request_id: str, written: Path, tmp_path: Path
) -> None:
    """All of one conversation, so in one partition, and of its stream's shortest line."""
    short = min((written / topic).read_bytes().splitlines(), key=len)
    fields = orjson.loads(short) | {"conv_id": CONV, "session_id": CONV, "request_id": request_id}
    line = orjson.dumps(fields) + b"\n"
    (tmp_path / topic).write_bytes(line * (READ // len(line) + 1))
    chunk, made = Tail(tmp_path, topic).read(READ), Slice()
    assert chunk is not None
    Slicer(topic, "0" * 16).add(chunk, 4, made)
    assert not made.bad and made.counts[topic] == READ // len(line)
    assert max(map(len, made.batches.values())) < KAFKA
