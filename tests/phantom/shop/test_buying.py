# SPDX-License-Identifier: Apache-2.0
"""From the cart to the order: what is shown is what is paid, once."""

from __future__ import annotations

import httpx

from tests.phantom.shop.conftest import fast
from tests.phantom.shop.live_shop import BASE, ROOM, LiveShop, add, offer, total
from tests.phantom.shop.stub_gateway import StubGateway, at, poll


def test_a_price_in_a_form_is_nothing(visitor: httpx.Client) -> None:
    visitor.post("/cart/add", data={"item": ROOM, "price_micros": "1", "price": "0.01"})
    checkout = visitor.get("/checkout")
    told = {"offer": offer(checkout.text), "price_micros": "1", "total_micros": "1"}
    assert total(visitor.post("/checkout", data=told).text) == BASE


def test_a_price_that_moved_is_shown_before_it_is_paid(
    visitor: httpx.Client, gateway: StubGateway
) -> None:
    """Another tab was quoted another price after the checkout was shown."""
    add(visitor)
    checkout = visitor.get("/checkout")
    gateway.quote = at(1.1)
    visitor.get(f"/item/{ROOM}")
    again = visitor.post("/checkout", data={"offer": offer(checkout.text)})
    assert again.url.path == "/checkout" and 'id="changed"' in again.text
    assert total(again.text) > BASE and "was" in again.text
    done = visitor.post("/checkout", data={"offer": offer(again.text)})
    assert done.url.path == "/thanks" and total(done.text) == total(again.text)


def test_an_old_price_is_asked_for_anew(gateway: StubGateway) -> None:
    with LiveShop(fast(gateway.url, quote_max_age_s=0.0)) as shop, shop.client() as visitor:
        add(visitor)
        checkout = visitor.get("/checkout")
        gateway.quote = at(0.9)
        again = visitor.post("/checkout", data={"offer": offer(checkout.text)})
        assert 'id="changed"' not in checkout.text and 'id="changed"' in again.text
        assert total(again.text) < BASE
        done = visitor.post("/checkout", data={"offer": offer(again.text)})
        assert done.url.path == "/thanks" and total(done.text) == total(again.text)


def test_buying_twice_is_one_order(visitor: httpx.Client, gateway: StubGateway) -> None:
    add(visitor)
    taken = {"offer": offer(visitor.get("/checkout").text)}
    first, second = (visitor.post("/checkout", data=taken) for _ in range(2))
    assert first.url == second.url and first.url.path == "/thanks"
    assert poll(lambda: gateway.actions()[-2:] == ["page_view", "page_view"])
    assert gateway.actions().count("purchase") == 1


def test_no_offer_no_order(visitor: httpx.Client) -> None:
    assert visitor.get("/checkout").url.path == "/cart", "nothing to buy"
    add(visitor)
    assert visitor.post("/checkout", data={"offer": "made-up"}).url.path == "/checkout"
    assert visitor.post("/checkout").status_code == 415
    stranger = offer(visitor.get("/checkout").text)
    with httpx.Client(base_url=str(visitor.base_url), follow_redirects=True) as other:
        assert other.post("/checkout", data={"offer": stranger}).url.path == "/cart"
        assert other.get(f"/thanks?order={stranger}").status_code == 404


def test_a_full_cart_says_so(visitor: httpx.Client) -> None:
    for _ in range(9):
        add(visitor)
    assert "holds no more" in add(visitor).text
