# SPDX-License-Identifier: Apache-2.0
"""Pytest plugin: remembers which seed cases were covered by tests that really ran and passed.

Results go to build/spec_results.json as {case: {"passed": [...], "failed": [...]}}. An unknown
case name fails the collection, so a typo cannot claim coverage.
"""

from __future__ import annotations

import json
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "build" / "spec_results.json"
CASES_FILE = Path(__file__).with_name("spec_cases.toml")


def load_cases() -> dict[str, dict[str, str]]:
    """prefix -> {case: title}."""
    table = tomllib.loads(CASES_FILE.read_text(encoding="utf-8"))
    return {prefix: seed["cases"] for prefix, seed in table.items()}


def known(case: str) -> bool:
    """Whether a marker names a case of a seed."""
    prefix, _, name = case.partition("-")
    return name in load_cases().get(prefix, {})


class SpecResults:
    """Collects outcomes per case."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, list[str]]] = defaultdict(
            lambda: {"passed": [], "failed": []}
        )

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for marker in item.iter_markers("spec"):
                unknown = [case for case in marker.args if not known(case)]
                if unknown:
                    raise pytest.UsageError(f"{item.nodeid}: unknown spec case {unknown}")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item):  # type: ignore[no-untyped-def]
        report = (yield).get_result()
        if report.skipped or (report.passed and report.when != "call"):
            return
        for marker in item.iter_markers("spec"):
            for case in marker.args:
                entry = self.outcomes[case]["passed" if report.passed else "failed"]
                if item.nodeid not in entry:
                    entry.append(item.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        whole = not session.config.getoption("keyword") and session.testscollected
        if whole and session.config.args_source.name != "ARGS":
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(self.outcomes, indent=1, sort_keys=True) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SpecResults(), "spec-results")
