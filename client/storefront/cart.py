# SPDX-License-Identifier: Apache-2.0
"""From the cart to the order. Prices come from the visit, never from what a browser posts."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from client.storefront.body import read_form
from client.storefront.orders import Line, Offer, Order
from client.storefront.render import page, remember
from client.storefront.shop import Shop, shop_of
from client.storefront.visits import Visit


async def show_cart(request: Request) -> Response:
    """What is in it, at the last prices shown."""
    shop = shop_of(request)
    visit = shop.visit(request)
    shop.act(visit, "page_view")
    full = request.query_params.get("full") == "1"
    return await _lines_page(shop, visit, "cart", full=full)


async def add(request: Request) -> Response:
    """One more of an item."""
    shop = shop_of(request)
    form = await read_form(request)
    item = shop.catalogue.item(form.get("item", ""))
    visit = shop.visit(request)
    if not visit.add(item.item):
        return _go(visit, "/cart?full=1")
    shop.act(visit, "add_item", item.item)
    return _go(visit, "/cart")


async def remove(request: Request) -> Response:
    """A line leaves the cart; one that is not in it has left already."""
    shop = shop_of(request)
    form = await read_form(request)
    item = shop.catalogue.item(form.get("item", ""))
    visit = shop.visit(request)
    if visit.cart.pop(item.item, None) is not None:
        shop.act(visit, "remove", item.item)
    return _go(visit, "/cart")


async def show_checkout(request: Request) -> Response:
    """The offer: what will be paid if it is taken now."""
    shop = shop_of(request)
    visit = shop.visit(request)
    if not visit.cart:
        return _go(visit, "/cart")
    shop.act(visit, "checkout")
    return await _lines_page(shop, visit, "checkout")


async def purchase(request: Request) -> Response:
    """Take the offer; if its prices are no longer the last ones, show the new offer instead."""
    shop = shop_of(request)
    form = await read_form(request)
    visit = shop.visit(request)
    taken = form.get("offer", "")
    lines = await shop.lines(visit)
    if taken in visit.orders:
        return _go(visit, f"/thanks?order={taken}")
    offer = visit.offer
    if offer is None or offer.offer_id != taken or offer.lines != lines or not lines:
        return _go(visit, "/checkout")
    visit.place(Order(offer.offer_id, shop.catalogue.currency, lines))
    for line in lines:
        shop.act(visit, "purchase", line.item)
    return _go(visit, f"/thanks?order={taken}")


async def _lines_page(shop: Shop, visit: Visit, template: str, full: bool = False) -> Response:
    """A page of lines. Prices that moved since the visitor saw them last are told as `was`."""
    seen = {name: shown.price_micros for name, shown in visit.shown.items()}
    if template == "checkout" and visit.offer is not None:
        seen |= {line.item: line.price_micros for line in visit.offer.lines}
    lines = await shop.lines(visit)
    offer = Offer(secrets.token_urlsafe(12), lines)
    if template == "checkout":
        visit.offer = offer
    rows = [(shop.catalogue.item(line.item), line, _was(seen, line)) for line in lines]
    changed = any(was is not None for _, _, was in rows)
    return page(shop, visit, template, offer=offer, rows=rows, changed=changed, full=full)


def _was(seen: dict[str, int], line: Line) -> int | None:
    """The price before, where it was another."""
    before = seen.get(line.item)
    return before if before is not None and before != line.price_micros else None


def _go(visit: Visit, where: str) -> Response:
    response = RedirectResponse(where, 303)
    remember(response, visit)
    return response
