# SPDX-License-Identifier: Apache-2.0
"""The former budgets file: today's money is taken over once; a damaged file stops everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bls.ads import plans
from bls.ads.database import write
from bls.ads.flight import DAY
from bls.ads.former import FILE, TAKEN, take_over
from bls.ads.ledger import Ledger
from bls.errors import SkynetError
from bls.settlement.chain import GENESIS, link, seal

TODAY = DAY * 20_000
NOW = TODAY + 500.0


def write_file(state: Path, *lines: tuple[Any, ...]) -> Path:
    chain, content = GENESIS, b""
    for op, advertiser, flight, key, micros in lines:
        named = {"advertiser": advertiser, "flight": flight, "key": key, "micros": micros}
        body = json.dumps({"v": 1, "op": op, **named, "ts": NOW}).encode()
        chain = link(chain, body)
        content += seal(body, chain)
    (state / FILE).write_bytes(content)
    return state / FILE


HISTORY = (
    ("hold", "alpine", TODAY - DAY, "old", 900),
    ("hold", "alpine", TODAY, "r1", 100),
    ("hold", "alpine", TODAY, "r1", 300),
    ("settle", "alpine", TODAY - DAY, "old", 900),
    ("settle", "alpine", TODAY, "r1", 250),
    ("hold", "alpine", TODAY, "r2", 400),
    ("hold", "harbor", TODAY, "r2", 40),
    ("settle", "harbor", TODAY, "r2", 0),
)


def test_todays_money_is_taken_over_once(engine: Engine, tmp_path: Path) -> None:
    path = write_file(tmp_path, *HISTORY)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"v":1,"op":"ho')  # torn: it never counted
    write(engine, lambda c: plans.set_daily(c, "alpine", 1_000, NOW))
    ledger = Ledger(engine, "server", "now", wall=lambda: NOW)
    for _ in range(2):  # as if the process had died before the file was renamed
        path.write_bytes(whole)
        assert take_over(engine, tmp_path, "server", NOW) == 3
        assert not path.exists() and (tmp_path / TAKEN).read_bytes() == whole
        account = ledger.last("alpine")
        assert account is not None
        assert (account.budget, account.spent, account.reserved) == (1_000, 250, 400)
    assert ledger.orphans() == (("alpine", "r2"),)
    assert ledger.commit("alpine", "r1", 9).micros == 250  # settled in its former life
    assert ledger.commit("alpine", "r2", 350).micros == 350
    assert take_over(engine, tmp_path, "server", NOW) == 0


def test_before_the_budget_is_known(engine: Engine, tmp_path: Path) -> None:
    write_file(tmp_path, *HISTORY)
    take_over(engine, tmp_path, "server", NOW)
    write(engine, lambda c: plans.set_daily(c, "alpine", 500, NOW))
    account = Ledger(engine, "server", "now", wall=lambda: NOW).last("alpine")
    assert account is not None
    assert (account.budget, account.spent, account.reserved) == (650, 250, 400)


def _damage(raw: bytes) -> dict[str, bytes]:
    lines = raw.splitlines(keepends=True)
    return {
        "a digit": raw.replace(b'"micros": 250', b'"micros": 100', 1),
        "a line missing": b"".join(lines[:3] + lines[4:]),
        "the first line missing": b"".join(lines[1:]),
        "a line twice": b"".join([*lines[:4], lines[3], *lines[4:]]),
        "zeros": b"\0" * len(raw) + b"\n",
        "an empty line": raw + b"\n",
    }


@pytest.mark.parametrize("way", _damage(b"x\n" * 10))
def test_a_damaged_file_is_not_believed(engine: Engine, tmp_path: Path, way: str) -> None:
    path = write_file(tmp_path, *HISTORY)
    damaged = _damage(path.read_bytes())[way]
    path.write_bytes(damaged)
    with pytest.raises(SkynetError) as caught:
        take_over(engine, tmp_path, "server", NOW)
    assert caught.value.code == "budgets_damaged" and path.read_bytes() == damaged


@pytest.mark.parametrize(
    "lines",
    [
        [("settle", "a", TODAY, "r", 5)],
        [("hold", "a", TODAY, "r", 5), ("settle", "a", TODAY, "r", 6)],
        [("hold", "a", TODAY, "r", 5), ("hold", "a", TODAY, "r", 4)],
        [("move", "a", TODAY, "r", 5)],
    ],
)
def test_lines_that_could_not_have_been(
    engine: Engine, tmp_path: Path, lines: list[tuple[Any, ...]]
) -> None:
    write_file(tmp_path, *lines)
    with pytest.raises(SkynetError, match="damaged"):
        take_over(engine, tmp_path, "server", NOW)
