# SPDX-License-Identifier: Apache-2.0
"""Steps that do nothing but answer as a test wants: only the order and the promises are tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bls.errors import SkynetError
from pipelines_dagster.loop.live import LiveMetric, Observed, Point
from pipelines_dagster.loop.steps import Verdict, Version
from pipelines_dagster.loop.variants import Flaw


def version(name: str) -> Version:
    return Version(name, name[0] * 64)


WEAK, CHALLENGER, BAD = version("weak"), version("challenger"), version("bad")


@dataclass
class Double:
    """A circle that closes; a test breaks one thing."""

    gates: dict[str, bool] = field(default_factory=lambda: {"challenger": True, "bad": False})
    canaries: dict[str, bool] = field(default_factory=lambda: {"challenger": True, "bad": False})
    rmse: dict[str, float] = field(default_factory=lambda: {"weak": 0.4, "challenger": 0.2})
    silent: bool = False
    broken: str = ""
    live: Version | None = None
    calls: list[str] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.broken == name:
            raise SkynetError("step_failed", f"{name} failed.", 500)

    def crown(self, flaw: Flaw) -> Version:
        self._called("crown")
        assert flaw.bias != 0
        self.live = WEAK
        return WEAK

    def champion(self) -> Version | None:
        return self.live

    def ingest(self) -> int:
        self.calls.append("ingest")
        return 7

    def feed(self) -> None:
        self.ingest()

    def build(self) -> str:
        self._called("build")
        return "rows 7"

    def train(self) -> Version:
        self._called("train")
        return CHALLENGER

    def offer(self, flaw: Flaw) -> Version:
        self._called("offer")
        return BAD

    def validate(self, challenger: Version) -> Verdict:
        self._called("validate")
        passed = self.gates[challenger.name]
        self._tell(passed)
        return Verdict(passed, "RMSE")

    def promote(self, challenger: Version, *, forced: bool = False) -> Verdict:
        self._called("forced" if forced else "promote")
        passed = self.canaries[challenger.name]
        if passed:
            self.live = challenger
        self._tell(passed)
        return Verdict(passed, "live RMSE")

    def _tell(self, passed: bool) -> None:
        if not passed and not self.silent:
            self.lines.append({"kind": "refused"})

    def observe(self) -> Observed:
        seen = {
            one.short: LiveMetric(2_000, self.rmse[one.name], 0.1, 0.2)
            for one in (WEAK, CHALLENGER)
            if one.name in self.rmse
        }
        points = tuple(
            Point(10.0 * at, WEAK.short if at < 2 else CHALLENGER.short, 40, 0.4 if at < 2 else 0.2)
            for at in range(4)
        )
        return Observed(seen, points)

    def told(self) -> Sequence[dict[str, Any]]:
        return self.lines
