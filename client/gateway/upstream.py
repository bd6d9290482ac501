# SPDX-License-Identifier: Apache-2.0
"""The gRPC side: one decoupled stream to `token_auction` per reply, and Triton's health.

The generated stub of `tritonclient` is used rather than its aio client, which has no way to
ask for the empty final response and builds a numpy-backed result per token.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import grpc
import grpc.aio
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bls.contracts import TOKEN_AUCTION
from bls.errors import SkynetError, internal
from bls.request import BidUpdate, ReplyRequest, ScoreUpdate
from client.gateway.decode import decode
from client.gateway.events import Event, Updated

_CLOSE_S = 0.25
_OPTIONS = [
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.enable_retries", 0),
]


class Triton:
    """A channel to one Triton server. Made inside the event loop that uses it."""

    def __init__(self, address: str):
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def close(self) -> None:
        """Drop the channel; streams still open on it are cancelled."""
        await self._channel.close()

    async def check_ready(self, timeout_s: float) -> None:
        """Raise `SkynetError` (503) unless Triton says that every model is ready."""
        name = TOKEN_AUCTION.name
        try:
            server = self._stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=timeout_s)
            if not (await server).ready:
                raise not_ready("The model server is starting.")
            model = service_pb2.ModelReadyRequest(name=name)
            if not (await self._stub.ModelReady(model, timeout=timeout_s)).ready:
                raise not_ready("The reply model is not ready.")
        except grpc.aio.AioRpcError:
            raise not_ready("The model server does not answer.") from None

    async def events(self, request: ReplyRequest) -> AsyncGenerator[Event, None]:
        """Events of one reply until its FINAL. Closing the generator cancels the reply.

        Raises `SkynetError`: the server's own, `unavailable`, or `internal`.
        """
        async with aclosing(self._answers(request)) as answers:
            async for event in answers:
                if isinstance(event, Updated):
                    raise internal()
                yield event

    async def infer(self, request: Any, timeout_s: float) -> Any:
        """A `ModelInferResponse` of a model that answers once. Raises `SkynetError` as `events`."""
        try:
            return await self._stub.ModelInfer(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise translate(error) from None

    async def update(self, update: BidUpdate | ScoreUpdate, timeout_s: float) -> Updated:
        """Replace bids, or the score, of a live reply. Raises `SkynetError` as `events`."""
        try:
            async with asyncio.timeout(timeout_s), aclosing(self._answers(update)) as answers:
                found = [event async for event in answers]
        except TimeoutError:
            raise unavailable() from None
        if len(found) != 1 or not isinstance(found[0], Updated):
            raise internal()
        return found[0]

    async def _answers(
        self, request: ReplyRequest | BidUpdate | ScoreUpdate
    ) -> AsyncGenerator[Event | Updated, None]:
        """What `token_auction` says to one request, until its FINAL."""
        call = self._stub.ModelStreamInfer(iter((infer_request(request),)))
        try:
            while (response := await call.read()) is not grpc.aio.EOF:
                if response.error_message:
                    raise SkynetError.from_wire(response.error_message)
                event = decode(response.infer_response)
                if event is not None:
                    yield event
                if _is_final(response.infer_response):
                    await _closed(call)
                    return
        except grpc.aio.AioRpcError as error:
            raise translate(error) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise unavailable() from None  # not us: the channel was closed under the call
        finally:
            call.cancel()


def infer_request(request: ReplyRequest | BidUpdate | ScoreUpdate) -> Any:
    """The request as KServe protobuf: one BYTES element of JSON."""
    raw = request.model_dump_json(exclude_none=True).encode()
    message = service_pb2.ModelInferRequest(model_name=TOKEN_AUCTION.name, id=request.request_id)
    message.parameters["triton_enable_empty_final_response"].bool_param = True
    tensor = TOKEN_AUCTION.inputs[0]
    message.inputs.add(name=tensor.name, datatype="BYTES", shape=tensor.dims)
    message.raw_input_contents.append(len(raw).to_bytes(4, "little") + raw)
    return message


async def _closed(call: Any) -> None:
    """Let the server close the stream itself, so a reply that is over is not cancelled."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_S):
            await call.code()


def _is_final(response: Any) -> bool:
    parameters = response.parameters
    name = "triton_final_response"
    return name in parameters and bool(parameters[name].bool_param)


def translate(error: grpc.aio.AioRpcError) -> SkynetError:
    """A gRPC status as our error; Triton's own words never pass."""
    code = error.code()
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return unavailable()
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return deadline_exceeded()
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return SkynetError("capacity", "The model server is full; try again shortly.", 429)
    return SkynetError.from_wire(error.details() or "") if error.details() else internal()


def unavailable() -> SkynetError:
    """The model server cannot be reached."""
    return SkynetError("unavailable", "The model server is not available; try again.", 503)


def not_ready(reason: str) -> SkynetError:
    """Why `/readyz` says no."""
    return SkynetError("not_ready", reason, 503)


def deadline_exceeded() -> SkynetError:
    """The reply ran past its deadline and the server did not end it."""
    return SkynetError("deadline_exceeded", "The reply took longer than its deadline.", 504)
