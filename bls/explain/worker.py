# SPDX-License-Identifier: Apache-2.0
"""The process that explains: `python -m bls.explain.worker`, started by `bls.explain.service`.

It runs at nice 15 on one thread, so whoever writes replies goes first. One request at a time comes
over an inherited socket; when the other side hangs up, it ends.

To the worker: [context, ad].   From it: ["ready"], ["done", {...}] or ["error", wire text].
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bls.brain.context.encoder import ContextEncoder
from bls.errors import SkynetError, internal
from bls.explain import errors
from bls.explain.request import ExplainRequest
from bls.explain.value_model import ValueModel
from bls.jsonlog import JsonLog
from bls.limits import LIMITS
from bls.llm.wire import receive_frame, send_frame
from bls.models import model_key
from bls.models.keys import ModelKeys
from bls.models.models import located
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.models.slot import ModelSlot
from bls.settings import load_settings

if TYPE_CHECKING:
    from bls.explain.explain import Explain

NICE = 15
AUDIT = "explain.audit"


def _load(arguments: argparse.Namespace) -> Explain:
    """Raises `explain_unavailable` when `shap` or a model is not there."""
    slot = _slot(arguments)
    slot.start()  # follows the served version from now on
    try:
        encoder = ContextEncoder(arguments.encoder)
        slot.current()
    except SkynetError as error:
        raise errors.unavailable(error.message.rstrip(".")) from None
    try:
        from bls.explain.explain import Explain, warm_up  # noqa: PLC0415  (needs shap)
    except ImportError:
        raise errors.unavailable("the package shap is not installed") from None
    explain = Explain(encoder, slot.current)
    warm_up(explain)
    return explain


def _slot(arguments: argparse.Namespace) -> ModelSlot[ValueModel]:
    """The version that conversations without a canary get."""
    shipped = FolderPointer(arguments.tve)
    if not arguments.keys:
        return ModelSlot("tve", ValueModel, shipped)
    settings = load_settings()
    keys = ModelKeys.open(settings, model_key.TVE, _Quiet(), remember=False)
    places = Places(settings.models_folder, settings.models_fetched)
    load = located(ValueModel, places)
    return ModelSlot("tve", load, keys.champion_or(shipped), spare=shipped)


class _Quiet:
    """The server tells what becomes of a key; nobody needs it twice."""

    def write(self, stream: str, **fields: object) -> None: ...


def serve(
    line: socket.socket, explain: Callable[[ExplainRequest], Any], audit: JsonLog | None
) -> None:
    """Answer until the other side is gone."""
    send_frame(line, ["ready"])
    while (message := receive_frame(line)) is not None:
        context, ad = message
        try:
            done = explain(ExplainRequest(context=context, ad=ad))
        except SkynetError as error:
            send_frame(line, ["error", error.to_wire()])
            continue
        except Exception:  # a fault of ours in one request; the next may well work
            send_frame(line, ["error", internal().to_wire()])
            continue
        if audit is not None:
            ctx_id = hashlib.sha256(context.encode()).hexdigest()[:16]
            audit.write(AUDIT, ctx_id=ctx_id, tokens=done["tokens"], shap_vals=done["shap"])
        send_frame(line, ["done", done])


def main() -> int:
    """Exit status: 0 when the other side hung up, 1 when there is nothing to explain with."""
    parser = argparse.ArgumentParser(prog="python -m bls.explain.worker", description=__doc__)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--tve", type=Path, required=True)
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--logs", type=Path)
    arguments = parser.parse_args()
    os.nice(NICE)
    line = socket.socket(fileno=arguments.socket)
    try:
        explain = _load(arguments)
    except SkynetError as error:
        send_frame(line, ["error", error.to_wire()])
        return 1
    audit = JsonLog(arguments.logs, LIMITS.log_queue) if arguments.logs else None
    try:
        serve(line, explain, audit)
    except BrokenPipeError:  # hung up while we were writing
        pass
    finally:
        if audit is not None:
            audit.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
