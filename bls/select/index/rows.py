# SPDX-License-Identifier: Apache-2.0
"""Which creative each row of a generation is, and whether it may be chosen.

One thread writes, others read: arrays are replaced when they grow, rows are filled before they are
counted, and a row that dies is dead for searches that have begun already.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import Checked, CreativeRecord
from bls.select.index.protocol import I32, Mask

_T = TypeVar("_T", bound=np.generic)

_FIRST = 1_024


def choosable(record: CreativeRecord) -> bool:
    """Whether an index may hold it."""
    checked = record.checked is Checked.OK and not record.deleted
    return checked and record.embedding is not None


class Rows:
    """Attributes:
    campaigns: ids in order of their first row.
    revision: another whenever a row has become a creative.
    """

    def __init__(self) -> None:
        self.campaigns: list[str] = []
        self.revision = 0
        self._numbers: dict[str, int] = {}
        self._records: list[CreativeRecord | None] = []
        self._row_of: dict[str, int] = {}
        self._alive = np.zeros(_FIRST, np.bool_)
        self._campaign = np.zeros(_FIRST, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def alive(self) -> Mask:
        """bool [rows], read-only."""
        return _shown(self._alive[: self._count])

    @property
    def campaign(self) -> I32:
        """i32 [rows], read-only."""
        return _shown(self._campaign[: self._count])

    @property
    def living(self) -> int:
        """Rows that are alive."""
        return len(self._row_of)

    def record(self, row: int) -> CreativeRecord | None:
        return self._records[row] if 0 <= row < self._count else None

    def row_of(self, msg_id: str) -> int | None:
        """Its living row."""
        return self._row_of.get(msg_id)

    def same(self, record: CreativeRecord) -> int | None:
        """The living row that holds this very text of this campaign, if one does."""
        row = self._row_of.get(record.msg_id)
        held = None if row is None else self._records[row]
        if held is None or (held.version, held.campaign_id) != (record.version, record.campaign_id):
            return None
        return row

    def update(self, row: int, record: CreativeRecord) -> None:
        """Whatever else of it has changed."""
        self._records[row] = replace(record, embedding=None)

    def reserve(self, count: int) -> None:
        """So many rows more, dead until `give`."""
        while self._count + count > len(self._alive):
            self._grow()
        self._records.extend([None] * count)
        self._count += count

    def add(self, record: CreativeRecord) -> int:
        """A new row, alive. An older row of the creative dies."""
        row = self._count
        if row == len(self._alive):
            self._grow()
        self._records.append(None)
        self.give(row, record)
        self._count = row + 1
        self.revision += 1
        return row

    def give(self, row: int, record: CreativeRecord) -> None:
        """A dead row is this creative from now on. An older row of the creative dies."""
        self.kill(record.msg_id)
        self.update(row, record)
        self._campaign[row] = self._number(record.campaign_id)
        self._row_of[record.msg_id] = row
        self._alive[row] = True
        self.revision += 1

    def kill(self, msg_id: str) -> bool:
        """Its row is dead from now on; whether it had one."""
        row = self._row_of.pop(msg_id, None)
        if row is None:
            return False
        self._alive[row] = False
        self._records[row] = None
        return True

    def _number(self, campaign_id: str) -> int:
        number = self._numbers.get(campaign_id)
        if number is None:
            self.campaigns.append(campaign_id)
            number = self._numbers[campaign_id] = len(self.campaigns) - 1
        return number

    def _grow(self) -> None:
        self._alive = np.concatenate([self._alive, np.zeros_like(self._alive)])
        self._campaign = np.concatenate([self._campaign, np.zeros_like(self._campaign)])


def _shown(part: NDArray[_T]) -> NDArray[_T]:
    part.flags.writeable = False
    return part
