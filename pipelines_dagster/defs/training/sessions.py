# SPDX-License-Identifier: Apache-2.0
"""Sessions that `agent_score` is trained on and judged by: the lake's, and our own drivers'.

A fifth of the lake's sessions, chosen by the digest of their names, is never trained on: the same
fifth for every version, so champion and challenger are judged on rows that neither has seen. The
drivers' sessions of the judgement have a seed of their own. Those of a training may have been sent
to the shop too (`skynet phantom traffic --post` with its seed): the same fifth of them is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from bls.phantom.session import MODES, Quote, Session, SessionEvent
from bls.phantom.shop import catalogue
from bls.reply.draw import conversation
from pipelines_dagster.lake.lake import Lake

TABLE, PRICES = "silver/sessions", "bronze/session_prices"
HELD_SEED = 2**31 + 11
"""No training has it."""
GENERATED = {"full": 4_000, "quick": 120}
"""Sessions of our drivers made for a training, half of each mode (a fifth of them is dropped); a
quarter as many in a judgement."""
NEWEST = 20_000
"""Sessions of the lake at most."""
_EVERY = 5
_EVENTS = 2
"""Acts from which a session says anything."""


def is_held(session_id: str) -> bool:
    """Whether a session is kept for judging, where the lake has it."""
    return conversation(session_id) % _EVERY == 0


def learnt(lake: Lake) -> list[Session]:
    """What a version learns from, besides our drivers'."""
    return [one for one in lake_sessions(lake) if not is_held(one.sid)]


def taught(count: int, seed: int) -> list[Session]:
    """Of so many sessions of our drivers those that no judgement can hold."""
    return [one for one in generated(count, seed) if not is_held(one.sid)]


def held_out(lake: Lake, profile: str) -> list[Session]:
    """What every version is judged by."""
    own = (one for one in lake_sessions(lake) if is_held(one.sid))
    return [*own, *generated(GENERATED[profile] // 4, HELD_SEED)]


def generated(count: int, seed: int) -> Iterator[Session]:
    """Sessions of our drivers in the shop in memory, as many of each mode."""
    from pipelines_dagster.phantom.traffic.drivers import drivers  # noqa: PLC0415  (slow)
    from pipelines_dagster.phantom.traffic.event_ground import EventGround  # noqa: PLC0415
    from pipelines_dagster.phantom.traffic.plan import traffic  # noqa: PLC0415

    for place, mode in enumerate(MODES):  # names of sessions come from the seed
        driven, own = list(drivers().values()), len(MODES) * seed + place
        yield from traffic(EventGround(catalogue(mode)), driven, count // len(MODES), own)


def lake_sessions(lake: Lake) -> Iterator[Session]:
    """The newest labelled sessions of the lake, with the prices they were shown."""
    if lake.open(TABLE) is None:
        return
    acts = lake.scan(TABLE).filter(pl.col("label") != "unknown")
    heard = acts.group_by("session_id").agg(pl.col("ts").max(), pl.len())
    newest = (
        heard.filter(pl.col("len") >= _EVENTS)
        .sort("ts", "session_id", descending=[True, False])
        .head(NEWEST)
        .select("session_id")
    )
    rows = acts.join(newest, on="session_id").sort("session_id", "ts", "seq").collect()
    quotes = _quotes(lake, newest)
    for _, part in rows.group_by("session_id", maintain_order=True):
        yield _session(list(part.iter_rows(named=True)), quotes)


def _quotes(lake: Lake, names: pl.LazyFrame) -> dict[str, list[Quote]]:
    """Prices shown, by session, in the order they were."""
    if lake.open(PRICES) is None:
        return {}
    columns = ("session_id", "item", "price_micros", "ts_ms")
    shown = lake.scan(PRICES).unique("event_id").join(names, on="session_id").sort("ts_ms", "seq")
    found: dict[str, list[Quote]] = {}
    for name, *quote in shown.select(columns).collect().iter_rows():
        found.setdefault(name, []).append(Quote(*quote))
    return found


def _session(acts: list[dict[str, Any]], quotes: dict[str, list[Quote]]) -> Session:
    first = acts[0]
    return Session(
        sid=first["session_id"],
        mode=first["mode"],
        start_ms=first["ts_ms"],
        events=tuple(_events(acts)),
        quotes=tuple(quotes.get(first["session_id"], ())),
        experiment=first["experiment"],
        condition=first["condition"],
        label=first["label"],
        origin=first["origin"],
        actor=first["actor"],
        user_agent=first["user_agent"],
    )


def _events(acts: Iterable[dict[str, Any]]) -> Iterator[SessionEvent]:
    for act in acts:
        yield SessionEvent(act["action"], act["item"], act["ts_ms"], act["dwell_ms"])
