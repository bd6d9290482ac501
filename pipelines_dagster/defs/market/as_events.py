# SPDX-License-Identifier: Apache-2.0
"""Simulated traffic as the events that the live system records, whole columns at a time.

The auctions are those of `events.write_events`; what readers do with the hosted ads follows the
market's law (`readers`). As in the market dataset, an ad's delivered length is drawn apart from the
auction: what a delivered length is worth is the question, not how it came about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from bls.errors import invalid
from pipelines_dagster.defs.market import tracks
from pipelines_dagster.defs.market.auctions import START, draw_auctions
from pipelines_dagster.defs.market.clearing import clear_all
from pipelines_dagster.defs.market.hosted import Host, host
from pipelines_dagster.defs.market.params import mix_of
from pipelines_dagster.defs.market.world import World, draw_world

Streams = dict[str, pl.DataFrame]
"""Lines of each topic, in the order in which they were recorded."""

BUCKETS = np.round(np.arange(1, 10) / 10, 1)
"""lambda_sem of a reply, one of these at random."""


@dataclass(frozen=True)
class Traffic:
    """How much of what.

    Attributes:
        seed: fixes every number; part of each `conv_id`.
        start, gap_s: Unix seconds of the beginning, mean seconds between conversations.
        best_lambda: the bucket readers like most, by far; None makes them indifferent.
        contexts, ads: size of the world, when none is given.
    """

    seed: int
    conversations: int = 100
    scenario: str = "train"
    start: float = START
    gap_s: float = 20.0
    best_lambda: float | None = None
    contexts: int = 256
    ads: int = 320

    def __post_init__(self) -> None:
        if min(self.conversations, self.contexts, self.ads) < 1 or self.gap_s < 0:
            raise invalid("bad_traffic", "Sizes are at least 1, a gap is not negative.")


@dataclass(frozen=True)
class Versions:
    """Who forecast, and the first 16 hex digits of their SHA-256.

    Attributes:
        mixture: forecasts bids; without one there are no `mpc.decisions`.
        noise: spread of log v_max about the truth in what the value model told.
    """

    mixture: tracks.Mixture | None = None
    predictor: str = ""
    tve: str = ""
    noise: float = 0.1


def simulate_events(
    traffic: Traffic, world: World | None = None, versions: Versions = Versions()
) -> Streams:
    """The lines of all topics. Raises `unknown_scenario`."""
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence([traffic.seed, 2]).spawn(4)]
    world = world or draw_world(traffic.contexts, traffic.ads, rngs[0])
    count = traffic.conversations
    auctions = draw_auctions(world, mix_of(traffic.scenario), count, rngs[1], truth=False)
    start = traffic.start + rngs[2].exponential(traffic.gap_s, count).cumsum()
    hosted = host(auctions, world, rngs[3], BUCKETS, traffic.best_lambda)
    played = tracks.Played(auctions, world, traffic.seed, start, clear_all(auctions))
    return record(played, hosted, versions)


def record(played: tracks.Played, hosted: Host, versions: Versions = Versions()) -> Streams:
    """Lines of conversations that took place."""
    tokens, replies = tracks.tokens(played), tracks.replies(played)
    streams = {
        "auction.bids": tracks.bids(tokens, played.cleared),
        "auction.vcg": tracks.vcg(tokens, played.cleared),
        "e2e.trace": replies,
        "tve.feedback": hosted.feedback(replies, versions.tve, versions.noise),
        "mro.select": hosted.choices(replies),
        "click.logs": hosted.reactions(replies),
    }
    if (mixture := versions.mixture) is not None:
        decided = tracks.decisions(played, mixture, versions.predictor, versions.tve)
        streams["mpc.decisions"] = decided
    return streams


def events(streams: Streams) -> Iterator[tuple[str, dict[str, Any]]]:
    """(topic, line) of everything, in the order of time."""
    lines = [
        (line["ts"], topic, line)
        for topic, frame in streams.items()
        for line in frame.iter_rows(named=True)
    ]
    for _, topic, line in sorted(lines, key=lambda item: item[0]):
        yield topic, line
