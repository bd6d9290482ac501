# SPDX-License-Identifier: Apache-2.0
"""Flights for tests."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Engine

from bls.ads import plans
from bls.ads.database import write
from bls.ads.flight import Flight


def give(engine: Engine, flights: Mapping[str, Flight]) -> None:
    """Each advertiser has this flight of its own, and no other budget."""

    def work(connection: Connection) -> None:
        for name, flight in flights.items():
            plans.fund(connection, name)
            plans.set_flight(connection, name, flight, flight.start)

    write(engine, work)
