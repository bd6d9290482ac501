# SPDX-License-Identifier: Apache-2.0
"""Real replies settled from the real stack's log: every bill recomputes, every token is audited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bls.settlement.recompute import settle
from bls.settlement.replay import CSV, replay
from client import cli
from tests.system.probe import Probe

BIDDERS = [
    {"advertiser": "alpine_rail", "bid": 1.5},
    {"advertiser": "harbor_hotels", "bid": 1.2},
    {"advertiser": "own_model", "bid": 1.0, "ad_prompt": "Mention the Own Model inn."},
]
REPLIES = [
    {},
    {"charge_rule": "critical_bid"},
    {"mode": "sample"},
    {"bidders": BIDDERS[:1]},
]


@pytest.fixture
def streamed(probe: Probe) -> dict[str, int]:
    """Tokens a reader got, by request id, once all receipts are on disk."""
    counts: dict[str, int] = {}
    for fields in REPLIES:
        events = list(probe.events(skynet={"bidders": BIDDERS} | fields, max_tokens=24))
        answers = [event.get("skynet", {}) for event in events]
        receipt = next(answer["receipt"] for answer in answers if "receipt" in answer)
        counts[receipt["request_id"]] = sum("token_id" in answer for answer in answers)
    probe.eventually(
        lambda: counts.keys() <= {line["request_id"] for line in probe.log("e2e.trace")}
    )
    return counts


@pytest.mark.spec("AUC-I-02")
def test_every_streamed_token_has_its_records(probe: Probe, streamed: dict[str, int]) -> None:
    for stream in ("auction.bids", "auction.vcg"):
        lines = probe.log(stream)
        for request, count in streamed.items():
            found = [line["token_idx"] for line in lines if line["request_id"] == request]
            assert found == [*range(count)]


@pytest.mark.spec("AUC-I-03")
def test_real_bills_settle_within_a_hundredth_of_a_percent(
    probe: Probe, streamed: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """All replies of this stack so far, also those that other tests cut, killed or cancelled."""
    result = settle(probe.stack.settings.logs)
    assert result.ok, result.as_json()
    total = result.total
    assert result.receipts >= len(streamed) and total.charged_micros > 0
    assert abs(total.difference_micros) <= 1e-4 * total.charged_micros
    assert cli_code("settle", "--logs", str(probe.stack.settings.logs), "--json") == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_real_winners_and_prices_are_derived_again(
    probe: Probe, streamed: dict[str, int], tmp_path: Path
) -> None:
    audit = replay(probe.stack.settings.logs, tmp_path / CSV)
    assert audit.ok, audit.as_json()
    assert audit.tokens >= sum(streamed.values())
    verdicts = audit.as_json()["verdicts"]
    assert set(verdicts) == {"argmax", "sample"}
    proven = verdicts["argmax"]["winner"]["proven"]
    assert proven >= 0.99 * sum(verdicts["argmax"]["winner"].values())


def cli_code(*arguments: str) -> int:
    """What the `skynet` command returns."""
    return int(cli.cli.main([*arguments], "skynet", standalone_mode=False) or 0)
