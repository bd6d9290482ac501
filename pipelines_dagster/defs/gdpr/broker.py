# SPDX-License-Identifier: Apache-2.0
"""Messages that Kafka still has: a record cannot be deleted singly, so the topic is cut off.

`DeleteRecords` up to what the lake has taken, where the broker can; else they go with the topic's
retention, a day (`RETENTION_MS`). Tombstones keep them out of the lake until then.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

from bls.events.topics import TOPICS
from pipelines_dagster.defs.gdpr.audit import Step
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.lake.lake import Lake

PLACE = "kafka"
RETENTION_MS = 24 * 3_600_000
"""Of every topic; AUC-S-04."""
_HISTORY = 200
_TIMEOUT_MS = 5_000
_CONNECT_S = 1.0
_WAIT = f"gone within {RETENTION_MS // 3_600_000} h by the topic's retention"


def taken(lake: Lake, topic: str, cluster: str) -> dict[int, int]:
    """Partition -> offset of this cluster up to which the lake has it, as ingest noted it."""
    found = lake.open(f"bronze/{TOPICS[topic].table}")
    ends: dict[int, int] = {}
    for commit in found.history(_HISTORY) if found is not None else ():
        noted = commit.get("ranges") if commit.get("cluster") == cluster else None
        for partition, (_, end) in json.loads(noted).items() if noted else ():
            ends[int(partition)] = max(end, ends.get(int(partition), 0))
    return ends


def cut_topics(servers: str, lake: Lake, subject: Subject) -> list[Step]:
    """Ask the broker to drop what the lake has; one step a topic that has been taken from."""
    if subject.kind is Kind.CTX or all(
        lake.open(f"bronze/{t.table}") is None for t in TOPICS.values()
    ):
        return []
    if not any(map(_answers, servers.split(","))):
        return [Step(PLACE, note=f"no broker answers: {_WAIT}")]
    from kafka import KafkaAdminClient  # noqa: PLC0415  (slow)
    from kafka.errors import KafkaError  # noqa: PLC0415

    try:
        admin: Any = KafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=_TIMEOUT_MS)
    except Exception as fault:  # a broker that speaks another version
        return [Step(PLACE, note=f"{type(fault).__name__}: {_WAIT}")]
    try:
        cluster = str(admin.describe_cluster()["cluster_id"])
        topics = {name: ends for name in TOPICS if (ends := taken(lake, name, cluster))}
        return [_cut(admin, topic, ends) for topic, ends in topics.items()]
    except KafkaError as fault:
        return [Step(PLACE, note=f"{type(fault).__name__}: {_WAIT}")]
    finally:
        admin.close()


def _cut(admin: Any, topic: str, ends: Mapping[int, int]) -> Step:
    from kafka.structs import TopicPartition  # noqa: PLC0415

    offsets = {TopicPartition(topic, number): end for number, end in ends.items()}
    try:
        admin.delete_records(offsets, timeout_ms=_TIMEOUT_MS)
    except Exception as fault:  # the broker cannot: an expected answer
        return Step(f"{PLACE}/{topic}", note=f"{type(fault).__name__}: {_WAIT}")
    return Step(f"{PLACE}/{topic}", note=f"cut off at {dict(ends)}")


def _answers(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, ValueError):
        return False
    return True
