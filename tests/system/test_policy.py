# SPDX-License-Identifier: Apache-2.0
"""The output filter on the real stack: a word the model certainly says is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bls.settings import Settings
from client.launcher.stack import Stack
from tests.system.probe import Probe

RULES = '[crafted]\nterms = ["harbor*", "hotel*", "recommend*", "the*", "you*"]\n'
REFUSED = re.compile(r"\b(harbor|hotel|recommend|the|you)", re.IGNORECASE)
BIDDERS = [{"advertiser": "harbor_hotels", "bid": 20.0}, {"advertiser": "alpine_rail", "bid": 3.0}]
CONV = "crafted-1"


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """A stack of its own with an operator's rules."""
    rules = tmp_path_factory.mktemp("rules") / "crafted.toml"
    rules.write_text(RULES)
    ports = {"port": 0, "triton_grpc_port": 0, "triton_metrics_port": 0}
    state = tmp_path_factory.mktemp("state")
    settings = dataclasses.replace(Settings(), state=state, policy_rules=str(rules), **ports)
    with Stack(settings) as stack:
        yield Probe(stack)


@dataclasses.dataclass(frozen=True)
class Streamed:
    """One reply as its reader got it."""

    text: str
    tokens: list[dict[str, Any]]
    receipt: dict[str, Any]

    @property
    def replaced(self) -> list[dict[str, Any]]:
        return [token for token in self.tokens if token["policy"]]


@pytest.fixture(scope="module")
def streamed(probe: Probe) -> Streamed:
    skynet = {"bidders": BIDDERS, "conv_id": CONV}
    events = list(probe.events(skynet=skynet, max_tokens=40))
    texts = [e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"]]
    fields = [event.get("skynet", {}) for event in events]
    receipt = next(field["receipt"] for field in fields if "receipt" in field)
    text = "".join(texts).removesuffix(receipt["disclosure"] or "")
    return Streamed(text, [field for field in fields if "token_id" in field], receipt)


def lines(probe: Probe, stream: str) -> list[dict[str, Any]]:
    return [line for line in probe.log(stream) if line["conv_id"] == CONV]


@pytest.mark.spec("AUC-U-05", "AUC-I-04")
def test_refused_words_never_reach_the_reader(streamed: Streamed) -> None:
    assert len(streamed.replaced) >= 2
    assert len(streamed.tokens) >= 10
    assert not REFUSED.search(streamed.text)


def test_nobody_pays_for_a_replaced_token(streamed: Streamed) -> None:
    for token in streamed.replaced:
        assert token["winner"] is None and not token["sponsored"]
        assert all(row["charge"] == row["critical_bid"] == 0 for row in token["rows"])
    assert any(token["sponsored"] for token in streamed.tokens)
    assert streamed.receipt["policy_tokens"] == len(streamed.replaced)


@pytest.mark.spec("AUC-I-04")
def test_the_market_is_told_of_every_token(probe: Probe, streamed: Streamed) -> None:
    """No gap in W_-i for the bid predictor: one record per token, the replaced ones included."""
    probe.eventually(lambda: bool(lines(probe, "e2e.trace")))
    indices = [token["index"] for token in streamed.tokens]
    bids, prices = lines(probe, "auction.bids"), lines(probe, "auction.vcg")
    assert [line["token_idx"] for line in bids] == indices
    assert [line["token_idx"] for line in prices] == indices
    assert all(line["w_minus"] == [23.0, 3.0, 20.0] for line in bids)
    assert [line["policy"] for line in prices] == [token["policy"] for token in streamed.tokens]
    assert [line["token"] for line in prices] == [t["token_id"] for t in streamed.tokens]
    for line in prices:
        if line["policy"]:
            assert line["pay"] == line["critical_bid"] == [0.0, 0.0, 0.0]
            assert all(0 <= p <= 1 for p in line["p_token"])


@pytest.mark.spec("AUC-I-04")
def test_every_refusal_is_logged_without_text(probe: Probe, streamed: Streamed) -> None:
    probe.eventually(lambda: bool(lines(probe, "auction.policy")))
    refused = lines(probe, "auction.policy")
    for line, token in zip(refused, streamed.replaced, strict=False):
        assert (line["token_idx"], line["reason"]) == (token["index"], "crafted")
        assert line["replacement"] == token["token_id"] != line["blocked"]
    assert len(refused) - len(streamed.replaced) == (
        streamed.receipt["finish_reason"] == "content_filter"
    )
    place = {"v", "ts", "conv_id", "request_id", "token_idx"}
    assert set(refused[0]) == place | {"reason", "blocked", "replacement"}
    assert not REFUSED.search(json.dumps([line | {"conv_id": ""} for line in refused]))


def test_the_series_count_it(probe: Probe, streamed: Streamed) -> None:
    replaced = len(streamed.replaced)
    probe.eventually(lambda: probe.metric("auc_policy_replaced_total") >= replaced)
    tokens = probe.metric("auc_policy_tokens_total")
    assert tokens >= len(streamed.tokens)
    assert 0 < probe.metric("auc_policy_seconds_total") / tokens < 0.003
    assert probe.metric("auc_policy_faults_total") == 0


def test_a_bad_rules_file_keeps_the_server_down(tmp_path: Path) -> None:
    """Rather no server than one without the filter that was asked for."""
    settings = dataclasses.replace(
        Settings(),
        state=tmp_path,
        policy_rules=str(tmp_path / "none.toml"),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )
    with pytest.raises(Exception, match=r"bad_policy_rules|cannot be read"), Stack(settings):
        pass
