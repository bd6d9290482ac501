# SPDX-License-Identifier: Apache-2.0
"""Experiments of the shop: who runs under which condition, decided by hash and written down.

The key store's `/phantom/experiments` says which there are:

    {"experiments": [{"name": "static_or_learned", "mode": "hotel",
                      "first": "2026-11-01", "last": "2026-11-30",
                      "conditions": {"static": 0.5, "learned": 0.5}}]}

A session gets its condition when it begins and keeps it. Of one mode at most one experiment runs
on a day, so that no session is in two and cohorts stay comparable; days are UTC, both inclusive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from bls.errors import SkynetError, invalid
from bls.phantom.session import Mode
from bls.request import Name, Strict

KEY = "/phantom/experiments"
_MOST = 64
_SUM = 1e-6
"""How far shares may miss 1 by rounding."""


class Experiment(Strict):
    """`conditions`: share of sessions by name, in the order that the hash goes through them."""

    name: Name
    mode: Mode
    first: str
    last: str
    conditions: dict[Name, float] = Field(min_length=1, max_length=_MOST)

    @field_validator("first", "last")
    @classmethod
    def _is_day(cls, value: str) -> str:
        return date.fromisoformat(value).isoformat()

    @model_validator(mode="after")
    def _fits(self) -> Experiment:
        shares = self.conditions.values()
        if any(not 0 < share <= 1 for share in shares) or abs(sum(shares) - 1) > _SUM:
            raise ValueError("shares are above 0 and make 1 together")
        if self.first > self.last:
            raise ValueError("it ends before it begins")
        return self

    def runs(self, day: str) -> bool:
        return self.first <= day <= self.last

    def condition(self, sid: str) -> str:
        """By a hash of both names: the same on every gateway, unrelated between experiments."""
        digest = hashlib.blake2b(f"{self.name}\n{sid}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "little") / 2**64
        for name, share in self.conditions.items():
            place -= share
            if place < 0:
                return name
        return name


@dataclass(frozen=True)
class Experiments:
    """All of them, by name."""

    known: Mapping[str, Experiment]

    def assign(self, sid: str, mode: Mode, now: float) -> tuple[str, str]:
        """(experiment, condition) of a session that begins at `now`; empty for none."""
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        for one in self.known.values():
            if one.mode == mode and one.runs(day):
                return one.name, one.condition(sid)
        return "", ""

    def check(self, name: str, condition: str, mode: Mode) -> None:
        """Of a condition that a driver names: one that is known here has its conditions and its
        mode; another is the driver's own. Raises `unknown_condition`."""
        found = self.known.get(name)
        if found is not None and (condition not in found.conditions or found.mode != mode):
            why = "This experiment has no such condition in this mode."
            raise SkynetError("unknown_condition", why, 400, "experiment")


NONE = Experiments({})


class _File(Strict):
    experiments: list[Experiment] = Field(max_length=_MOST)


def read_experiments(value: Mapping[str, Any]) -> Experiments:
    """The value of the key. Raises `bad_experiments`."""
    try:
        found = _File.model_validate(dict(value)).experiments
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "value"
        raise _bad(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
    if len({one.name for one in found}) != len(found):
        raise _bad("a name appears twice")
    for at, one in enumerate(found):
        for other in found[:at]:
            if one.mode == other.mode and one.first <= other.last and other.first <= one.last:
                raise _bad(f"{other.name} and {one.name} run in one mode on one day")
    return Experiments({one.name: one for one in found})


def _bad(why: str) -> SkynetError:
    return invalid("bad_experiments", f"Not a value of {KEY}: {why}.")
