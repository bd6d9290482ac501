# SPDX-License-Identifier: Apache-2.0
"""A broker a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipelines_dagster.defs.ingest.testbed.broker import Broker


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Empty: it starts in a tenth of a second."""
    with Broker() as started:
        yield started
