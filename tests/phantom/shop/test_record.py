# SPDX-License-Identifier: Apache-2.0
"""What an answer of the gateway makes of the records that were sent to it."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from client.storefront.gateway import Fault, GatewayClient, Sent
from tests.phantom.shop.conftest import fast

pytestmark = pytest.mark.spec("PH-05")


def outcome(status: int, **error: object) -> Sent | Fault:
    """Of one request that is answered like this."""

    async def main() -> Sent | Fault:
        client = GatewayClient(fast("http://gateway"))
        told = httpx.MockTransport(lambda _: httpx.Response(status, json={"error": error}))
        await client._http.aclose()
        client._http = httpx.AsyncClient(base_url="http://gateway", transport=told)
        try:
            return await client.record("/v1/events", {}, "agent")
        finally:
            await client.close()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Sent.DONE),
        (400, Sent.REFUSED),
        (401, Sent.LATER),
        (403, Sent.LATER),
        (404, Sent.LATER),
        (408, Sent.LATER),
        (409, Sent.REFUSED),
        (413, Sent.REFUSED),
        (429, Sent.BUSY),
        (500, Sent.LATER),
        (503, Sent.LATER),
    ],
)
def test_by_status(status: int, expected: Sent) -> None:
    assert outcome(status) is expected


@pytest.mark.parametrize(
    ("code", "param", "expected"),
    [
        ("unknown_item", "events.7.item", Fault(7)),
        ("too_old", "quotes.12.ts_ms", Fault(12)),
        ("invalid_value", "events.3", Fault(3)),
        ("in_the_future", "events.0.ts_ms", Sent.BUSY),
        ("too_many", "events", Sent.REFUSED),
        ("invalid_value", "session_id", Sent.REFUSED),
        ("invalid_value", "events.-1.item", Sent.REFUSED),
        ("invalid_value", None, Sent.REFUSED),
    ],
)
def test_a_bad_request_by_its_words(code: str, param: str | None, expected: Sent | Fault) -> None:
    assert outcome(400, code=code, param=param) == expected
