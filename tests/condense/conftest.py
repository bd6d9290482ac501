# SPDX-License-Identifier: Apache-2.0
"""What condensing needs: the served LLM's tokenizer, the rules, and a condenser of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bls.condense.bridge import Bridge
from bls.condense.cache import DictCache, SummaryCache
from bls.condense.condenser import Condenser
from bls.condense.windows import policy_of
from bls.policy.filter import PolicyFilter, load_filter
from tests.condense.said import FirstHalf, Lines

Make = Callable[..., Condenser]


@pytest.fixture(scope="session")
def bridge(llm_folder: Path) -> Bridge:
    return Bridge(llm_folder, llm_folder)


@pytest.fixture(scope="session")
def rules() -> PolicyFilter:
    return load_filter()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def model() -> FirstHalf:
    return FirstHalf()


@pytest.fixture
def make(bridge: Bridge, rules: PolicyFilter, lines: Lines, model: FirstHalf) -> Make:
    def made(choice: str = "first", cache: SummaryCache | None = None) -> Condenser:
        return Condenser(
            model,
            bridge,
            choice=policy_of(choice, bridge.spelling),
            policy=rules,
            cache=cache or DictCache(),
            log=lines,
            made_by="test",
        )

    return made
