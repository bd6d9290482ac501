# SPDX-License-Identifier: Apache-2.0
"""The shipped encoder, loaded once."""

from __future__ import annotations

import pytest

from bls.brain.context.encoder import ContextEncoder


@pytest.fixture(scope="session")
def encoder() -> ContextEncoder:
    return ContextEncoder()
