# SPDX-License-Identifier: Apache-2.0
"""`config.pbtxt`, the C++ header and `bls/contracts.py` say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from bls.contracts import AUCTION, CONTRACTS, DECODE_STEP, LLM_STEP, ModelContract
from bls.limits import LIMITS
from bls.settings import REPOSITORY

MODELS = REPOSITORY / "model_repository"
HEADER = REPOSITORY / "kernels_cuda" / "include" / "auction_contract.h"


def config(name: str) -> model_config_pb2.ModelConfig:
    text = (MODELS / name / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def triple(tensor: object) -> tuple[str, str, tuple[int, ...]]:
    name = model_config_pb2.DataType.Name(tensor.data_type)  # type: ignore[attr-defined]
    return tensor.name, name.removeprefix("TYPE_"), tuple(tensor.dims)  # type: ignore[attr-defined]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
def test_config_matches_contract(contract: ModelContract) -> None:
    pbtxt = config(contract.name)
    assert pbtxt.name == contract.name
    assert pbtxt.max_batch_size == contract.max_batch
    assert pbtxt.model_transaction_policy.decoupled == contract.decoupled
    assert {triple(t) for t in pbtxt.input} == {(t.name, t.dtype, t.dims) for t in contract.inputs}
    assert {triple(t) for t in pbtxt.output} == {
        (t.name, t.dtype, t.dims) for t in contract.outputs
    }


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)
def test_house_rules(contract: ModelContract) -> None:
    """Two versions kept, an explicit instance group, a bounded queue where requests batch."""
    pbtxt = config(contract.name)
    assert pbtxt.version_policy.latest.num_versions == 2
    if pbtxt.platform != "ensemble":
        assert [group.count for group in pbtxt.instance_group] == [1]
    if pbtxt.HasField("dynamic_batching"):
        assert 0 < pbtxt.dynamic_batching.default_queue_policy.max_queue_size <= 1024


def test_every_model_has_a_contract_and_a_thin_model_file() -> None:
    assert {path.name for path in MODELS.iterdir()} == {c.name for c in CONTRACTS}
    for file in MODELS.glob("*/1/model.py"):
        assert len(file.read_text().splitlines()) < 30, f"{file} holds logic"


def test_one_reply_fits_one_request() -> None:
    for contract in (LLM_STEP, AUCTION, DECODE_STEP):
        assert contract.max_batch >= LIMITS.bidders + 1


def test_header_names_every_auction_tensor() -> None:
    header = Path(HEADER).read_text()
    for tensor in (*AUCTION.inputs, *AUCTION.outputs):
        assert f'"{tensor.name}"' in header
