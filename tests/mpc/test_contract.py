# SPDX-License-Identifier: Apache-2.0
"""The header, `bls/contracts.py`, the config and the libraries say the same."""

from __future__ import annotations

import re
import subprocess

from bls.contracts import AD_TOKENS, HORIZON, MPC, Control, CostModel, Decision
from kernels_cuda import mpc, mpc_oracle
from tests.kernels.cases import KERNELS, ROOT

HEADER = (KERNELS / "include" / "mpc_contract.h").read_text()
CONFIG = (ROOT / "model_repository" / "mpc" / "config.pbtxt").read_text()


def constant(name: str) -> float:
    found = re.search(rf"{name} = ([^;]+);", HEADER)
    assert found, name
    return float(found.group(1))


def places(kind: str) -> list[int]:
    block = re.search(rf"enum {kind} : int32_t {{(.*?)}};", HEADER, re.DOTALL)
    assert block
    return [int(number) for number in re.findall(r"k\w+ = (\d+),", block.group(1))]


def test_limits_and_places_agree() -> None:
    assert constant("kMaxRows") == MPC.max_batch
    assert constant("kMaxHorizon") == HORIZON and constant("kAdTokens") == AD_TOKENS
    assert constant("kSigmaMin") == mpc_oracle.SIGMA_MIN
    assert places("Control") == list(Control) and places("Decision") == list(Decision)
    assert "enum class CostModel : int32_t { kBid = 0, kVcg = 1 };" in HEADER
    assert (CostModel.BID, CostModel.VCG) == (0, 1)
    assert f"kRefused = {mpc.METHOD_REFUSED}," in HEADER


def test_config_and_contract_list_the_headers_tensors() -> None:
    spec = re.findall(r'\{"([A-Z_]+)", "TYPE_(\w+)", (\d+)\}', HEADER)
    served = re.findall(r'name: "([A-Z_]+)" data_type: TYPE_(\w+) dims: \[ (\d+) \]', CONFIG)
    agreed = [(t.name, t.dtype, str(t.dims[0])) for t in (*MPC.inputs, *MPC.outputs)]
    assert spec == served == agreed


def symbols(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["nm", "--defined-only", *arguments], text=True, capture_output=True, check=True
    )
    return done.stdout.splitlines()


def test_backend_exports_only_triton_entry_points(built) -> None:
    names = [line.split()[2] for line in symbols("-D", str(built / "libtriton_mpc.so"))]
    assert len(names) == 7 and all(name.startswith("TRITONBACKEND_") for name in names)


def test_no_code_built_for_a_newer_processor_can_leak(built) -> None:
    """A weak symbol in these objects could be picked for a processor without the ISA."""
    for isa in ("avx2", "avx512"):
        kinds = {line.split()[1] for line in symbols(str(built / "mpc" / f"mpc_{isa}.o"))}
        assert not {"W", "V", "u"} & kinds
