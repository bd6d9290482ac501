# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.remote.generate`: writes the Python of `remote_bidder.proto`.

Needs grpcio-tools (extra `dev`). The output is committed, so that serving needs no compiler; a test
compares the two.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTO = "bls/remote/remote_bidder.proto"
OUTPUTS = ("bls/remote/remote_bidder_pb2.py", "bls/remote/remote_bidder_pb2.pyi")


def generate(folder: Path) -> int:
    """Write `OUTPUTS` under `folder`; protoc's exit code."""
    arguments = ["protoc", f"-I{ROOT}", f"--python_out={folder}", f"--pyi_out={folder}", PROTO]
    return int(protoc.main(arguments))


if __name__ == "__main__":
    sys.exit(generate(ROOT))
