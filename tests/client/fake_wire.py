# SPDX-License-Identifier: Apache-2.0
"""Requests and responses of a played `token_auction` as Triton's KServe protocol has them."""

from __future__ import annotations

import struct
from typing import Any

from tritonclient.grpc import service_pb2

from bls.contracts import TOKEN_AUCTION
from bls.errors import SkynetError
from bls.request import (
    BidUpdate,
    ReplyRequest,
    ScoreUpdate,
    is_score,
    is_update,
    parse_request,
    parse_score,
    parse_update,
)

_PACK = {"INT32": "i", "FP64": "d", "FP32": "f"}
_DTYPES = {tensor.name: tensor.dtype for tensor in TOKEN_AUCTION.outputs}


def read_request(message: Any) -> ReplyRequest | BidUpdate | ScoreUpdate:
    """What the model would read from tensor REQUEST."""
    assert message.model_name == TOKEN_AUCTION.name
    assert message.inputs[0].name == "REQUEST" and message.inputs[0].datatype == "BYTES"
    raw = message.raw_input_contents[0]
    (size,) = struct.unpack("<I", raw[:4])
    assert size == len(raw) - 4
    if is_score(raw[4:]):
        return parse_score(raw[4:])
    return parse_update(raw[4:]) if is_update(raw[4:]) else parse_request(raw[4:])


def response(request_id: str, values: dict[str, Any]) -> Any:
    """A response with the tensors in `values`."""
    answer = service_pb2.ModelInferResponse(model_name=TOKEN_AUCTION.name, id=request_id)
    for name, value in values.items():
        dtype = _DTYPES[name]
        if dtype == "STRING":
            data = value if isinstance(value, bytes) else value.encode()
            raw, size, dtype = struct.pack("<I", len(data)) + data, 1, "BYTES"
        else:
            items = value if isinstance(value, tuple | list) else (value,)
            raw, size = struct.pack(f"<{len(items)}{_PACK[dtype]}", *items), len(items)
        answer.outputs.add(name=name, datatype=dtype, shape=[size])
        answer.raw_output_contents.append(raw)
    return service_pb2.ModelStreamInferResponse(infer_response=answer)


def final(request_id: str) -> Any:
    """Triton's empty final response."""
    answer = service_pb2.ModelInferResponse(model_name=TOKEN_AUCTION.name, id=request_id)
    answer.parameters["triton_final_response"].bool_param = True
    return service_pb2.ModelStreamInferResponse(infer_response=answer)


def failure(error: SkynetError | str) -> Any:
    """Triton wraps what a model raised in words of its own."""
    text = error if isinstance(error, str) else error.to_wire()
    message = f"[request id: 7] in ensemble 'x', {text}"
    return service_pb2.ModelStreamInferResponse(error_message=message)


def read_texts(raw: bytes) -> list[str]:
    """BYTES elements: each a little-endian u32 length, then UTF-8."""
    texts, at = [], 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        texts.append(raw[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return texts
