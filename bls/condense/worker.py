# SPDX-License-Identifier: Apache-2.0
"""The process that holds the summariser: `python -m bls.condense.worker`.

It stands apart from the server, as the LLM's worker does: Triton 24.10 does not restart a Python
model that crashed, `bls.condense.supervisor` does. One request at a time comes over an inherited
socket; when the other side hangs up, it ends.

To the worker: [number, [window, ...]]. From it once: ["ready", kind, sha256] or ["error", wire
text]; then ["done", number, [summary, ...]] or ["error", number, wire text].
"""

from __future__ import annotations

import argparse
import contextlib
import socket
from pathlib import Path

from bls.condense.summariser import Summariser
from bls.errors import SkynetError, internal
from bls.llm.wire import receive_frame, send_frame
from bls.workers.spawn import die_with_parent
from export.errors import ExportError


def serve(line: socket.socket, summariser: Summariser) -> None:
    """Answer until the other side is gone."""
    send_frame(line, ["ready", summariser.kind, summariser.sha256])
    while (asked := receive_frame(line)) is not None:
        number, windows = asked
        try:
            answer: list[object] = ["done", number, summariser(windows)]
        except SkynetError as error:
            answer = ["error", number, error.to_wire()]
        except Exception:  # a fault of onnxruntime in one request; the next may well work
            answer = ["error", number, internal().to_wire()]
        send_frame(line, answer)


def main() -> int:
    """Exit status: 0 when the other side hung up, 1 when there is no usable model."""
    parser = argparse.ArgumentParser(prog="python -m bls.condense.worker", description=__doc__)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    arguments = parser.parse_args()
    die_with_parent()
    line = socket.socket(fileno=arguments.socket)
    try:
        summariser = Summariser(arguments.model)
    except (SkynetError, ExportError) as error:
        send_frame(line, ["error", SkynetError(error.code, error.message, 500).to_wire()])
        return 1
    with contextlib.suppress(BrokenPipeError):  # hung up while we were writing
        serve(line, summariser)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
