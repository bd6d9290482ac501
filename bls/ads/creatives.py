# SPDX-License-Identifier: Apache-2.0
"""Changes to creatives, each within a transaction its caller has begun."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select, update

from bls.ads import rows
from bls.ads.records import CampaignRecord, Checked, CreativeRecord, NewCreative
from bls.ads.schema import campaigns, creatives
from bls.errors import SkynetError, invalid
from bls.limits import LIMITS

WIDTH = 384
_NORM = 1e-2
_TOGETHER = 500


def put(connection: Connection, given: Sequence[NewCreative]) -> list[CreativeRecord]:
    """Store all of them, in their order, or raise and none is."""
    sequence = rows.Sequence(connection)
    _distinct(given)
    known = found(connection, [new.msg_id for new in given])
    owners = _campaigns(connection, {new.campaign_id for new in given})
    stored, added = [], []
    for new in given:
        campaign = owners.get(new.campaign_id)
        if campaign is None:
            raise SkynetError("unknown_campaign", "There is no such campaign.", 404, "campaign_id")
        before = known.get(new.msg_id)
        record = _next(new, campaign, before)
        if record is not before:
            record = dataclasses.replace(record, seq=sequence.next())
            added.append(record) if before is None else _store(connection, record)
        stored.append(record)
    if added:
        connection.execute(insert(creatives), [rows.columns(record) for record in added])
    sequence.keep()
    return stored


def judge(connection: Connection, judged: Sequence[tuple[str, int, Checked, str]]) -> int:
    """Store verdicts on (msg_id, version); how many were of the newest version and new."""
    sequence = rows.Sequence(connection)
    known = found(connection, [msg_id for msg_id, *_ in judged])
    count = 0
    for msg_id, version, checked, reason in judged:
        record = known.get(msg_id)
        if record is None or record.deleted or record.version != version:
            continue
        if (record.checked, record.reason) != (checked, reason):
            changed = dataclasses.replace(record, checked=checked, reason=reason)
            _store(connection, dataclasses.replace(changed, seq=sequence.next()))
            count += 1
    sequence.keep()
    return count


def embed(connection: Connection, made: Mapping[tuple[str, int], NDArray[np.float32]]) -> int:
    """Store embeddings that are still wanted; how many."""
    sequence = rows.Sequence(connection)
    known = found(connection, [msg_id for msg_id, _ in made])
    count = 0
    for (msg_id, version), vector in made.items():
        record = known.get(msg_id)
        if record is None or record.deleted or record.version != version:
            continue
        embedded = dataclasses.replace(record, embedding=as_bytes(vector), seq=sequence.next())
        _store(connection, embedded)
        count += 1
    sequence.keep()
    return count


def delete(connection: Connection, msg_id: str) -> bool:
    """Leave a tombstone; whether there was something to delete."""
    sequence = rows.Sequence(connection)
    record = found(connection, [msg_id]).get(msg_id)
    if record is None or record.deleted:
        return False
    dead = dataclasses.replace(record, text="", embedding=None, deleted=True, reason="")
    _store(connection, dataclasses.replace(dead, seq=sequence.next()))
    sequence.keep()
    return True


def found(connection: Connection, names: Sequence[str]) -> dict[str, CreativeRecord]:
    """Those that exist, tombstones too."""
    records: dict[str, CreativeRecord] = {}
    for start in range(0, len(names), _TOGETHER):
        wanted = creatives.c.msg_id.in_(names[start : start + _TOGETHER])
        for row in connection.execute(select(creatives).where(wanted)):
            records[row.msg_id] = rows.creative_record(row)
    return records


def as_bytes(vector: NDArray[np.float32]) -> bytes:
    """f32 [384] of unit norm as f16. Raises `bad_embedding`."""
    vector = np.asarray(vector, np.float32)
    if vector.shape != (WIDTH,) or not abs(float(np.linalg.norm(vector)) - 1) < _NORM:
        raise invalid("bad_embedding", f"expected f32[{WIDTH}] of unit norm")
    return vector.astype("<f2").tobytes()


def _next(
    new: NewCreative, campaign: CampaignRecord, before: CreativeRecord | None
) -> CreativeRecord:
    """The record after `new` came; `before` itself when nothing changes."""
    _checked_text(new)
    checked, reason = new.checked, new.reason
    if before is None:
        owner = (new.campaign_id, campaign.advertiser)
        return CreativeRecord(new.msg_id, *owner, new.text, 1, checked, reason, None, False)
    if before.deleted:
        raise SkynetError("msg_deleted", "This msg_id was deleted; it is not used again.", 409)
    if before.advertiser != campaign.advertiser:
        raise SkynetError("msg_taken", "This msg_id belongs to another advertiser.", 409)
    moved = dataclasses.replace(before, campaign_id=new.campaign_id)
    if new.text != before.text:
        moved = dataclasses.replace(
            moved,
            text=new.text,
            version=before.version + 1,
            checked=checked,
            reason=reason,
            embedding=None,
        )
    elif checked is not Checked.WAITING:
        moved = dataclasses.replace(moved, checked=checked, reason=reason)
    return before if moved == before else moved


def _checked_text(new: NewCreative) -> None:
    try:
        size = len(new.text.encode())
    except UnicodeEncodeError:
        raise invalid("bad_text", "The text is not valid Unicode.", "text") from None
    if not new.text.strip() or "\0" in new.text:
        raise invalid("bad_text", "The text is empty or holds a zero character.", "text")
    if size > LIMITS.creative_text_bytes:
        raise invalid("bad_text", f"The text exceeds {LIMITS.creative_text_bytes} bytes.", "text")


def _distinct(given: Sequence[NewCreative]) -> None:
    if len({new.msg_id for new in given}) != len(given):
        raise invalid("duplicate_msg_id", "A msg_id comes twice.", "msg_id")


def _campaigns(connection: Connection, names: set[str]) -> dict[str, CampaignRecord]:
    wanted, listed = {}, sorted(names)
    for start in range(0, len(listed), _TOGETHER):
        query = select(campaigns).where(
            campaigns.c.campaign_id.in_(listed[start : start + _TOGETHER])
        )
        for row in connection.execute(query):
            wanted[row.campaign_id] = rows.campaign_record(row)
    return wanted


def _store(connection: Connection, record: CreativeRecord) -> None:
    row = update(creatives).where(creatives.c.msg_id == record.msg_id)
    connection.execute(row.values(rows.columns(record)))
