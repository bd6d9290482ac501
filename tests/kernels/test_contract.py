# SPDX-License-Identifier: Apache-2.0
"""The contract header, the Python side and config.pbtxt say the same."""

from __future__ import annotations

import re
import subprocess

from kernels_cuda import auction, oracle
from tests.kernels.cases import KERNELS, ROOT

HEADER = (KERNELS / "include" / "auction_contract.h").read_text()
CONFIG = (ROOT / "model_repository" / "auction" / "config.pbtxt").read_text()


def constant(name: str) -> str:
    found = re.search(rf"{name} = ([^;]+);", HEADER)
    assert found, name
    return found.group(1)


def test_limits_and_tolerances_agree() -> None:
    assert int(constant("kMaxRows")) == auction.MAX_ROWS
    assert constant("kMaxVocab") == "1 << 18" and auction.MAX_VOCAB == 1 << 18
    assert int(constant("kTop")) == auction.TOP
    assert float.fromhex(constant("kTieRel")) == oracle.TIE_REL
    assert float.fromhex(constant("kNearTieRel")) == oracle.NEAR_TIE_REL


def test_config_lists_the_contracts_tensors() -> None:
    spec = re.findall(r'\{"([A-Z_]+)", "(TYPE_\w+)", (-?\d+)\}', HEADER)
    served = re.findall(r'name: "([A-Z_]+)" data_type: (TYPE_\w+) dims: \[ (-?\d+) \]', CONFIG)
    assert len(spec) == 16 and spec == served


def test_backend_exports_only_triton_entry_points(built) -> None:
    names = subprocess.run(
        ["nm", "-D", "--defined-only", str(built / "libtriton_auction.so")],
        text=True,
        capture_output=True,
        check=True,
    ).stdout.split()[2::3]
    assert len(names) == 7 and all(name.startswith("TRITONBACKEND_") for name in names)


def test_no_code_built_for_a_newer_processor_can_leak(built) -> None:
    """A weak symbol in these objects could be picked for a processor without the ISA."""
    for isa in ("avx2", "avx512"):
        listing = subprocess.run(
            ["nm", "-C", "--defined-only", str(built / "cpu" / f"auction_{isa}.o")],
            text=True,
            capture_output=True,
            check=True,
        ).stdout
        kinds = {line.split(maxsplit=2)[1]: line for line in listing.splitlines()}
        assert not {"W", "V", "u"} & kinds.keys(), kinds
