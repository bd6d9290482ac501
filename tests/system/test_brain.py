# SPDX-License-Identifier: Apache-2.0
"""The bidding brain on the real stack: live bids and parameters, budgets, its models' death."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from bls.brain.decisions.replay import replay_decisions
from bls.brain.params import KEY
from bls.keys.entry import Entry
from bls.keys.folder import FolderStore
from bls.keys.private import create, load, public_file
from bls.keys.signing import sign
from bls.settings import Settings
from client.cli import cli
from client.launcher.stack import Stack
from tests.system.probe import Probe

PAIR = {"bidders": [{"advertiser": "alpine_rail"}, {"advertiser": "harbor_hotels"}]}
ONE = {"bidders": [{"advertiser": "alpine_rail"}]}


def campaign(name: str, rate: float, **fields: Any) -> dict[str, Any]:
    base = {"advertiser": name, "brand": name, "bid": 1.0, "keywords": ["x"], "rate": rate}
    return base | {"creative": f"Recommend {name}, from $29 a night."} | fields


class Brainy(Probe):
    """A stack of its own, and the key that its operator signs with."""

    def __init__(self, stack: Stack, key: Path) -> None:
        super().__init__(stack)
        self.key = key
        self.version = 0

    def params(self, signed: bool = True, **values: Any) -> None:
        """Put parameters into the key store, and wait until the server has judged them."""
        self.version += 1
        entry = Entry.of(KEY, self.version, int(time.time()), values)
        if signed:
            entry = sign(entry, load(self.key))
        judged = self._judged()
        FolderStore(self.stack.settings.keys_folder).put(entry)
        self.eventually(lambda: self._judged() > judged)

    def _judged(self) -> float:
        return self.metric("mpc_params_accepted_total") + self.labelled("mpc_params_refused_total")

    def decisions(self, conv_id: str) -> list[dict[str, Any]]:
        """What the controller logged of a reply that is over."""
        time.sleep(0.3)
        return [line for line in self.log("mpc.decisions") if line["conv_id"] == conv_id]

    def kill(self, model: str) -> None:
        """End the process that serves a Python model, and nothing else."""
        server = psutil.Process(self.stack.child("tritonserver").pid)
        for process in server.children(recursive=True):
            if any(model in argument for argument in process.cmdline()):
                process.kill()
                return
        raise AssertionError(f"no process of {model}")


@pytest.fixture(scope="module")
def brainy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brainy]:
    folder = tmp_path_factory.mktemp("brain")
    campaigns = folder / "campaigns.json"
    offers = [
        campaign("alpine_rail", 60.0, daily_budget_micros=5_000_000),
        campaign("harbor_hotels", 55.0),
        campaign("broke", 60.0, daily_budget_micros=0),
    ]
    campaigns.write_text(json.dumps({"micros_per_weight": 1000, "campaigns": offers}))
    key = folder / "operator.key"
    create(key)
    settings = dataclasses.replace(
        Settings(),
        state=folder / "state",
        campaigns=str(campaigns),
        params_public_keys=str(public_file(key)),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )
    with Stack(settings) as stack:
        yield Brainy(stack, key)


@pytest.mark.spec("CBP-I-02")
def test_every_token_is_forecast_decided_and_logged(brainy: Brainy) -> None:
    asked = brainy.metric("cbp_requests_total")
    tokens = brainy.tokens(max_tokens=12, skynet=PAIR | {"conv_id": "live"})
    bids = [[row["bid"] for row in token["rows"]] for token in tokens]
    assert len({bid for row in bids for bid in row}) > 4, "bids are alive"
    told = brainy.decisions("live")
    assert [line["token_idx"] for line in told] == [i for i in range(len(tokens)) for _ in (0, 1)]
    assert [line["weight"] for line in told] == pytest.approx([b for row in bids for b in row])
    brainy.eventually(lambda: brainy.metric("cbp_requests_total") == asked + len(tokens))
    sold = [line for line in brainy.log("auction.bids") if line["conv_id"] == "live"]
    assert len(sold) == len(tokens)
    others = [line["w_minus"][1:] for line in sold]
    assert others == [pytest.approx([b, a]) for a, b in bids]


@pytest.mark.spec("MPC-I-05")
@pytest.mark.spec("MPC-S-04")
@pytest.mark.spec("ORC-I-05")
def test_signed_parameters_count_at_the_next_token_and_others_never(brainy: Brainy) -> None:
    stream = brainy.tokens_live(max_tokens=80, skynet=PAIR | {"conv_id": "swap"})
    for _ in range(3):
        next(stream)
    brainy.params(horizon=4, lambda_risk=0.3)
    seen = list(stream)
    told = brainy.decisions("swap")
    horizons = [line["horizon"] for line in told]
    assert horizons == sorted(horizons, reverse=True) and {8, 4} == set(horizons), len(seen)
    new = {(line["params_version"], line["lambda_risk"]) for line in told if line["horizon"] == 4}
    assert new == {(brainy.version, 0.3)}
    refused = brainy.labelled("mpc_params_refused_total")
    brainy.params(signed=False, horizon=2)
    assert brainy.labelled("mpc_params_refused_total") == refused + 1
    assert brainy.log("config.sig.alert")
    brainy.tokens(max_tokens=3, skynet=ONE | {"conv_id": "after"})
    assert {line["horizon"] for line in brainy.decisions("after")} == {4}


@pytest.mark.spec("CG-I-03")
@pytest.mark.spec("MPC-I-02")
def test_a_forced_abandon_ends_the_reply_where_expected(brainy: Brainy) -> None:
    """No forecast is narrow enough: token 1 abandons, the plan runs out, the sentence ends."""
    brainy.params(sigma_max=1e-6, momentum=2)
    asked = ONE | {"conv_id": "plan", "plan": "reply"}
    events = list(brainy.events(max_tokens=120, skynet=asked))
    tokens = [e["skynet"] for e in events if "token_id" in e.get("skynet", {})]
    receipt = next(e["skynet"]["receipt"] for e in events if "receipt" in e.get("skynet", {}))
    told = brainy.decisions("plan")
    plan = next(line["plan_id"] for line in told if line["abandon"])
    last_bid = max(i for i, token in enumerate(tokens) if token["rows"][0]["bid"] > 0)
    assert last_bid <= 1 + plan and len(told) == 2 + plan
    assert receipt["finish_reason"] == "plan" and len(tokens) < 120
    text = "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
    spoken = text.split("\n\nSponsored:")[0].rstrip()
    assert spoken.endswith((".", "!", "?", ":")), spoken
    brainy.params()


@pytest.mark.spec("MPC-I-03")
def test_an_advertiser_without_budget_spends_nothing(brainy: Brainy) -> None:
    bidders = [{"advertiser": "broke"}, {"advertiser": "harbor_hotels"}]
    tokens = brainy.tokens(max_tokens=8, skynet={"bidders": bidders})
    assert all(token["rows"][0]["bid"] == token["rows"][0]["charge"] == 0 for token in tokens)
    assert any(token["rows"][1]["bid"] > 0 for token in tokens), "the next one bids as ever"


@pytest.mark.spec("MPC-S-03")
def test_what_was_decided_live_is_decided_again(brainy: Brainy, tmp_path: Path) -> None:
    logs = brainy.stack.settings.logs
    report = replay_decisions(logs, tmp_path / "diff.csv")
    assert report.records > 20 and report.differ == 0
    ran = CliRunner().invoke(cli, ["audit", "decisions", str(logs)])
    assert ran.exit_code == 0, ran.output


@pytest.mark.spec("CBP-S-02")
def test_readers_do_not_notice_a_dead_predictor(brainy: Brainy) -> None:
    """The last test of this stack: its predictor does not come back."""
    before = brainy.tokens(max_tokens=10, skynet=PAIR | {"conv_id": "alive"})
    stream = brainy.tokens_live(max_tokens=60, skynet=PAIR | {"conv_id": "dies"})
    seen = [(next(stream), time.monotonic()) for _ in range(5)]
    brainy.kill("bid_predictor")
    seen += [(token, time.monotonic()) for token in stream]
    waits = [b - a for (_, a), (_, b) in pairwise(seen)]
    assert len(seen) == 60 and max(waits) < 2.0
    told = brainy.decisions("dies")
    assert {line["token_idx"] for line in told} >= set(range(8)), "decided on the held forecast"
    assert brainy.labelled("cbp_fallback_total", kind="held") > 0
    after = brainy.tokens(max_tokens=10, skynet=PAIR | {"conv_id": "dead"})
    assert len(after) == len(before)
    assert brainy.post(max_tokens=4, stream=False).status_code == 200
    brainy.all_rows_free()
