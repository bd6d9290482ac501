# SPDX-License-Identifier: Apache-2.0
"""Asks the model server's `policy_guard` about ads (contract `bls.contracts.POLICY_GUARD`)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from tritonclient.grpc import service_pb2

from bls.contracts import POLICY_GUARD, Use, Verdict
from bls.errors import SkynetError
from bls.guard.ruling import Ruling
from client.gateway.upstream import Triton, unavailable

TIMEOUT_S = 10.0
"""Nobody waits for a token here: longer than a reply would give it."""


async def judge(triton: Triton, texts: Sequence[str]) -> list[Ruling]:
    """One ruling a text, in order. Raises `unavailable` when the guard does not answer."""
    rulings: list[Ruling] = []
    for start in range(0, len(texts), POLICY_GUARD.max_batch):
        some = texts[start : start + POLICY_GUARD.max_batch]
        try:
            rulings += _read(await triton.infer(_request(some), TIMEOUT_S), len(some))
        except SkynetError:
            raise unavailable() from None
    return rulings


def _request(texts: Sequence[str]) -> Any:
    message = service_pb2.ModelInferRequest(model_name=POLICY_GUARD.name)
    rows = [text.encode() for text in texts]
    values = (
        b"".join(struct.pack("<I", len(row)) + row for row in rows),
        struct.pack(f"<{len(rows)}i", *[Use.AD.value] * len(rows)),
    )
    for tensor, raw in zip(POLICY_GUARD.inputs, values, strict=True):
        kind = "BYTES" if tensor.dtype == "STRING" else tensor.dtype
        message.inputs.add(name=tensor.name, datatype=kind, shape=[len(rows), *tensor.dims])
        message.raw_input_contents.append(raw)
    return message


def _read(response: Any, count: int) -> list[Ruling]:
    """Raises `unavailable` for anything but the contract."""
    names = [output.name for output in response.outputs]
    raw = dict(zip(names, response.raw_output_contents, strict=False))
    try:
        verdicts = struct.unpack(f"<{count}i", raw["VERDICT"])
        scores = struct.unpack(f"<{count}f", raw["SCORE"])
        reasons = _strings(raw["REASON"], count)
        parts = zip(verdicts, reasons, scores, strict=True)
        return [Ruling(Verdict(verdict), reason, score) for verdict, reason, score in parts]
    except (KeyError, ValueError, struct.error):
        raise unavailable() from None


def _strings(raw: bytes, count: int) -> list[str]:
    found, at = [], 0
    for _ in range(count):
        (size,) = struct.unpack_from("<I", raw, at)
        found.append(raw[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return found
