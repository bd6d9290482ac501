# SPDX-License-Identifier: Apache-2.0
"""Reads streams back in order, checks their chain, and joins bids with outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bls.errors import SkynetError
from bls.settlement.chain import GENESIS, extend, follows, split
from bls.settlement.erased import digest_of
from bls.settlement.faults import Fault, Faults
from bls.settlement.record import BIDS, RECEIPTS, STREAMS, VCG, VERSION
from bls.settlement.segments import files

Json = dict[str, Any]
ReplyKey = tuple[str, str]
TokenKey = tuple[str, str, int]

_SIDES = (BIDS, VCG)
_APART = 100_000
"""Lines one stream may run ahead of the other before the join gives up waiting."""


@dataclass(frozen=True)
class Joined:
    """Both records of one token."""

    key: TokenKey
    bids: Json
    vcg: Json


@dataclass
class Reader:
    """The streams of one log folder. What is wrong with them goes to `faults`.

    Attributes:
        heads: last chain value of each stream read: publish it, and history is fixed up to there.
        erased: lines whose content was erased by request, by stream; no fault, their chain holds.
    """

    folder: Path
    faults: Faults
    heads: dict[str, str] = field(default_factory=dict)
    erased: Counter[str] = field(default_factory=Counter)
    _bytes: int = 0

    def lines(self, stream: str) -> Iterator[Json]:
        """Every whole record of a stream, oldest first. Raises `no_records` without a file.

        Sealed files may have been removed at the front: the chain is then taken from the first
        line that is left.
        """
        paths = files(self.folder, stream)
        if not paths:
            raise SkynetError("no_records", f"There is no {stream} in the log folder.", 404)
        from_start = paths[0].name in (stream, f"{stream}.000001")
        chain: str | None = GENESIS if from_start else None
        for where, line in self._raw(paths):
            parts = split(line)
            if parts is None:
                self.faults.add(Fault.TORN, where)
                continue
            body, stated = parts
            left = digest_of(body)
            if chain is not None and not _holds(chain, body, left, stated):
                self.faults.add(Fault.BROKEN_CHAIN, where)
            chain = self.heads[stream] = stated
            if left is not None:
                self.erased[stream] += 1
            elif (record := _parse(body, stream)) is None:
                self.faults.add(Fault.MALFORMED, where)
            else:
                yield record

    def joined(self) -> Iterator[Joined]:
        """Tokens found in both streams, each key once.

        One thread writes both streams in the same order, so the join holds a few lines only.
        """
        seen: dict[ReplyKey, set[int]] = {}
        ahead: tuple[dict[TokenKey, Json], dict[TokenKey, Json]] = ({}, {})
        for side, record in self._alternate():
            key: TokenKey = (record["conv_id"], record["request_id"], record["token_idx"])
            other = ahead[1 - side].pop(key, None)
            indices = seen.setdefault(key[:2], set())
            if other is not None:
                yield Joined(key, record, other) if side == 0 else Joined(key, other, record)
            elif key[2] in indices:
                self.faults.add(Fault.DUPLICATE, f"{_SIDES[side]} {name(key)}")
            else:
                indices.add(key[2])
                ahead[side][key] = record
                if len(ahead[side]) > _APART:
                    self._unpaired(side, ahead[side], 1)
        for side in (0, 1):
            self._unpaired(side, ahead[side], len(ahead[side]))

    def receipts(self) -> dict[ReplyKey, Json]:
        """Every receipt by its reply."""
        found: dict[ReplyKey, Json] = {}
        for record in self.lines(RECEIPTS):
            key = (record["conv_id"], record["request_id"])
            if key in found:
                self.faults.add(Fault.DUPLICATE, f"{RECEIPTS} {name(key)}")
            else:
                found[key] = record
        return found

    @property
    def progress(self) -> float:
        """Share of all bytes read so far."""
        paths = [path for stream in STREAMS for path in files(self.folder, stream)]
        return self._bytes / max(1, sum(path.stat().st_size for path in paths))

    def _raw(self, paths: list[Path]) -> Iterator[tuple[str, bytes]]:
        """(file:line, line without its newline)."""
        for path in paths:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    self._bytes += len(line)
                    yield f"{path.name}:{number}", line.rstrip(b"\n")

    def _alternate(self) -> Iterator[tuple[int, Json]]:
        """(side, record), one of each stream in turn; side 0 is bids."""
        streams = {side: self.lines(stream) for side, stream in enumerate(_SIDES)}
        while streams:
            for side in tuple(streams):
                record = next(streams[side], None)
                if record is None:
                    del streams[side]
                else:
                    yield side, record

    def _unpaired(self, side: int, waiting: dict[TokenKey, Json], count: int) -> None:
        """Give up on the oldest `count` that wait for their other half."""
        for key in list(waiting)[:count]:
            del waiting[key]
            self.faults.add(Fault.UNPAIRED, f"{_SIDES[side]} {name(key)}")


def _holds(chain: str, body: bytes, left: str | None, stated: str) -> bool:
    """Whether `stated` goes on from `chain`; `left`: the digest an erased body left behind."""
    return follows(chain, body, stated) if left is None else extend(chain, left) == stated


def name(key: tuple[str | int, ...]) -> str:
    """A key as one word: conv_id:request_id or conv_id:request_id:token_idx."""
    return ":".join(str(part) for part in key)


def _parse(body: bytes, stream: str) -> Json | None:
    """The record, or None when it is not one of this version with a key."""
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or record.get("v") != VERSION:
        return None
    kinds: dict[str, type] = {"conv_id": str, "request_id": str}
    if stream != RECEIPTS:
        kinds["token_idx"] = int
    return record if all(isinstance(record.get(n), kind) for n, kind in kinds.items()) else None
