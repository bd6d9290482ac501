# SPDX-License-Identifier: Apache-2.0
"""A reply on a stack whose accelerator fails half-way: the same tokens as without a fault."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.settings import REPOSITORY, Settings
from client.launcher.stack import Stack
from tests.system.probe import Probe

MODELS = REPOSITORY / "model_repository"

BIDS = {
    "bidders": [{"advertiser": "alpine_rail", "bid": 20}, {"advertiser": "harbor_hotels", "bid": 9}]
}
"""Stated bids: what is compared is the auction, not the moment at which a controller answered."""


@pytest.fixture(scope="module")
def fault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fault") / "fault"


@pytest.fixture(scope="module")
def accelerated(fault: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """The shipped models, the auction on the host twin of the CUDA kernels."""
    repository = tmp_path_factory.mktemp("models")
    for model in MODELS.iterdir():
        if model.name != "auction":
            (repository / model.name).symlink_to(model)
    shutil.copytree(MODELS / "auction", repository / "auction")
    with (repository / "auction" / "config.pbtxt").open("a") as config:
        config.write('parameters { key: "device" value { string_value: "host" } }\n')
    settings = dataclasses.replace(
        Settings(),
        state=tmp_path_factory.mktemp("state"),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOST_DEVICE_FAULT_FILE", str(fault))
        with Stack(settings, repository=repository) as stack:
            yield Probe(stack)


@pytest.mark.spec("AUC-I-06")
def test_a_reply_outlives_its_accelerator(accelerated: Probe, fault: Path) -> None:
    calm = accelerated.tokens(max_tokens=12, skynet=BIDS)
    assert accelerated.metric("auc_device_tokens_total") == 12
    shaken = []
    for event in accelerated.events(max_tokens=12, skynet=BIDS):
        if "token_id" in event.get("skynet", {}):
            shaken.append(event["skynet"])
            if len(shaken) == 5:
                fault.write_text("hang")
    assert decisions(shaken) == decisions(calm)
    assert any(charge > 0 for row in (0, 1) for charge in charges(calm, row))
    for row in range(len(calm[0]["rows"])):
        np.testing.assert_allclose(charges(shaken, row), charges(calm, row), rtol=1e-6)
    assert accelerated.metric("auc_failovers_total") == 1
    assert accelerated.metric("auc_failover_seconds_total") < 1.0
    assert 12 < accelerated.metric("auc_device_tokens_total") < 24
    assert decisions(accelerated.tokens(max_tokens=4, skynet=BIDS)) == decisions(calm)[:4]


def decisions(tokens: list[dict[str, Any]]) -> list[tuple[int, str | None]]:
    return [(token["token_id"], token["winner"]) for token in tokens]


def charges(tokens: list[dict[str, Any]], row: int) -> list[float]:
    """The paths agree to 1e-6, not to the last bit."""
    return [token["rows"][row]["charge"] for token in tokens]
