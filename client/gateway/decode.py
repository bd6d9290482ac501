# SPDX-License-Identifier: Apache-2.0
"""Turns a `ModelInferResponse` of `token_auction` into an event: the per-token hot path.

Reads raw tensor bytes with `struct` instead of numpy arrays: the vectors hold a few numbers,
so array set-up would cost more than the decoding.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import orjson

from bls.contracts import Kind
from bls.errors import internal
from client.gateway.events import End, Event, Start, Token, Updated

_I32 = struct.Struct("<i")
_F64 = struct.Struct("<d")

Raw = Mapping[str, bytes]


def decode(response: Any) -> Event | Updated | None:
    """The event in a protobuf response, None for an empty one (Triton's bare FINAL marker).

    Raises `SkynetError` (`internal`) when the response breaks the contract.
    """
    names = [output.name for output in response.outputs]
    if not names:
        return None
    raw = dict(zip(names, response.raw_output_contents, strict=False))
    try:
        kind = _i32(raw["KIND"])
        if kind == Kind.TOKEN:
            return _token(raw)
        if kind == Kind.UPDATE:
            return _updated(raw)
        return _start(raw) if kind == Kind.START else _end(raw)
    except (KeyError, struct.error, orjson.JSONDecodeError, TypeError):
        raise internal() from None


def _token(raw: Raw) -> Token:
    return Token(
        index=_i32(raw["INDEX"]),
        token_id=_i32(raw["TOKEN_ID"]),
        text=_text(raw["TEXT"]),
        winner=_i32(raw["WINNER"]),
        flags=_i32(raw["FLAGS"]),
        margin=_F64.unpack(raw["MARGIN"])[0],
        bid=_f32s(raw["BID"]),
        charge=_vector(raw["CHARGE"], "d", 8),
        critical_bid=_vector(raw["CRITICAL_BID"], "d", 8),
        p_token=_vector(raw["P_TOKEN"], "d", 8),
        w_minus=_f32s(raw["W_MINUS"]),
        row_status=_vector(raw["ROW_STATUS"], "i", 4),
    )


def _start(raw: Raw) -> Start:
    header = orjson.loads(_text(raw["RECEIPT"]))
    rows, bids = tuple(header["rows"]), tuple(header["bids"])
    return Start(
        str(header["conv_id"]),
        rows,
        bids,
        bool(header["truncated"]),
        str(header["mode"]),
        header.get("seed"),
        dict(header["prelude"]),
        header.get("traffic", {}).get("invalid_at"),
    )


def _end(raw: Raw) -> End:
    receipt = orjson.loads(_text(raw["RECEIPT"]))
    if not isinstance(receipt, dict):
        raise TypeError("receipt is not an object")
    text = _text(raw["TEXT"]) if "TEXT" in raw else ""
    return End(text, _text(raw["FINISH_REASON"]), receipt)


def _updated(raw: Raw) -> Updated:
    receipt = orjson.loads(_text(raw["RECEIPT"]))
    return Updated(str(receipt["conv_id"]), int(receipt["applied_from"]))


def _i32(raw: bytes) -> int:
    return int(_I32.unpack(raw)[0])


def _text(raw: bytes) -> str:
    """One BYTES element: a little-endian u32 length, then UTF-8."""
    return raw[4:].decode(errors="replace")


def _vector(raw: bytes, code: str, size: int) -> tuple[Any, ...]:
    return struct.unpack(f"<{len(raw) // size}{code}", raw)


def _f32s(raw: bytes) -> tuple[float, ...]:
    """f32 values as the shortest doubles that print like them (0.3, not 0.30000001192)."""
    return tuple([float(f"{value:.7g}") for value in _vector(raw, "f", 4)])
