# SPDX-License-Identifier: Apache-2.0
"""How many rows came to bronze since the last training: Delta's own history, no table is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from bls.errors import SkynetError
from bls.events.topics import TOPICS
from pipelines_dagster.defs.operations.plan import AT_LEAST_EVERY, NEW_ROWS
from pipelines_dagster.lake.lake import Lake

TABLES = tuple(f"bronze/{topic.table}" for topic in TOPICS.values())


@dataclass(frozen=True)
class Since:
    """The sensor's cursor.

    Attributes:
        versions: of each table, up to which its rows are counted.
        rows: counted since the last training.
        trained: Unix seconds of the last training that was asked for or seen.
    """

    trained: float
    rows: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)

    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, text: str) -> Since:
        """Raises `bad_cursor`."""
        try:
            raw = json.loads(text)
            return cls(float(raw["trained"]), int(raw["rows"]), dict(raw["versions"]))
        except (ValueError, KeyError, TypeError):
            raise SkynetError("bad_cursor", "Not a cursor of new rows.") from None

    def counted(self, lake: Lake) -> Since:
        """With what was appended since the versions it has."""
        rows, versions = self.rows, dict(self.versions)
        for table in TABLES:
            added, version = appended(lake, table, versions.get(table, -1))
            rows += added
            if version >= 0:
                versions[table] = version
        return replace(self, rows=rows, versions=versions)

    def trained_at(self, at: float) -> Since:
        """After a training: its rows are no longer new."""
        return replace(self, trained=at, rows=0)

    def why(self, now: float) -> str | None:
        """The reason to train now; None when there is none."""
        if self.rows >= NEW_ROWS:
            return f"{self.rows} new rows"
        age = now - self.trained
        if self.rows and age >= AT_LEAST_EVERY.total_seconds():
            return f"{self.rows} new rows, {age / 3600:.0f} hours since the last training"
        return None


def appended(lake: Lake, table: str, since: int) -> tuple[int, int]:
    """(rows appended after version `since`, the newest version); (0, since) without a table.

    Only appends count: compacting, deleting and rewriting bring nothing new.
    """
    found = lake.open(table)
    if found is None:
        return 0, since
    newest = int(found.version())
    if newest < since:  # the table was made anew
        since = -1
    rows = 0
    for commit in found.history(max(0, newest - since)):
        mode = commit.get("operationParameters", {}).get("mode", "")
        if commit["version"] > since and commit["operation"] == "WRITE" and mode == "Append":
            rows += int(commit.get("operationMetrics", {}).get("num_added_rows", 0))
    return rows, newest
