# SPDX-License-Identifier: Apache-2.0
"""The one method of `remote_bidder.proto`, for both ends.

The exchange reads chunks as raw bytes: what a stranger sends is parsed where a fault can be counted
(`bls.remote.chunk`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from bls.remote.remote_bidder_pb2 import LogitChunk, Turn

SERVICE = "skynet.remote.v1.RemoteBidder"
METHOD = "Bid"

Bid = Callable[[Iterator[Turn], Any], Iterator[LogitChunk]]
"""A bidder: the exchange's turns and the gRPC context in, chunks out. One call per reply."""


def bid_stub(channel: grpc.aio.Channel) -> grpc.aio.StreamStreamMultiCallable:
    """`Bid` on an asyncio channel: turns out, raw chunks in."""
    return channel.stream_stream(f"/{SERVICE}/{METHOD}", request_serializer=Turn.SerializeToString)


def bid_handler(bid: Bid) -> grpc.GenericRpcHandler:
    """What a server of its own adds to serve `bid`."""
    method = grpc.stream_stream_rpc_method_handler(
        bid,
        request_deserializer=Turn.FromString,
        response_serializer=LogitChunk.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})
