# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the settlement tests: the real kernel, seeded by the test's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from kernels_cuda.auction import Auction
from tests.settlement.workshop import Workshop


@pytest.fixture
def auction() -> Iterator[Auction]:
    with Auction() as made:
        yield made


@pytest.fixture
def workshop(request: pytest.FixtureRequest, auction: Auction) -> Callable[..., Workshop]:
    """Makes a `Workshop`; the same test gets the same numbers every time."""
    rng = np.random.default_rng(list(request.node.originalname.encode()))

    def make(**options: Any) -> Workshop:
        return Workshop(rng, auction, **options)

    return make
