# SPDX-License-Identifier: Apache-2.0
"""Pages one looks at: `/`, `/item/<id>`, `/thanks`, and `/healthz`."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bls.errors import SkynetError
from bls.phantom.shop import Item
from client.storefront.render import page
from client.storefront.search import SORTS, Criteria, acts, find, read_criteria
from client.storefront.shop import Shop, shop_of
from client.storefront.visits import Shown, Visit


async def home(request: Request) -> Response:
    """The catalogue, searched, filtered, sorted, a page at a time."""
    shop = shop_of(request)
    visit = shop.visit(request)
    criteria = read_criteria(request.query_params, shop.filters)
    found = find(shop.items, criteria, lambda item: last_price(visit, item))
    size = shop.settings.page_items
    pages = max(1, -(-len(found) // size))
    number = min(criteria.page, pages)
    listed = found[(number - 1) * size : number * size]
    for action, meta in acts(visit.criteria, criteria):
        shop.act(visit, action, meta=meta)
    visit.criteria = criteria
    prices = await shop.prices.quote(visit, listed)
    if criteria.sort == "price":
        listed.sort(key=lambda item: prices[item.item].price_micros)
    return page(
        shop,
        visit,
        "home",
        criteria=criteria,
        filters=shop.filters,
        sorts=SORTS,
        found=len(found),
        number=number,
        pages=pages,
        cards=[card(shop, item, prices, criteria) for item in listed],
    )


async def item(request: Request) -> Response:
    """One item; `?more=1` opens its conditions."""
    shop = shop_of(request)
    sold = shop.catalogue.item(request.path_params["item"])
    visit = shop.visit(request)
    more = request.query_params.get("more") == "1"
    shop.act(visit, "learn_more" if more else "view_item", sold.item)
    prices = await shop.prices.quote(visit, [sold])
    return page(shop, visit, "item", card=card(shop, sold, prices, Criteria()), more=more)


async def thanks(request: Request) -> Response:
    """An order of this visit. Raises `unknown_order`."""
    shop = shop_of(request)
    visit = shop.visit(request)
    order = visit.orders.get(request.query_params.get("order", ""))
    if order is None:
        raise SkynetError("unknown_order", "This visit has no such order.", 404)
    shop.act(visit, "page_view")
    rows = [(shop.catalogue.item(line.item), line) for line in order.lines]
    return page(shop, visit, "thanks", order=order, rows=rows)


async def healthz(request: Request) -> Response:
    """That the shop serves, and how its records fare."""
    shop = shop_of(request)
    return JSONResponse(
        {
            "status": "ok",
            "mode": shop.settings.mode,
            "sessions": len(shop.visits),
            "quotes": {
                "provider": shop.prices.quoted,
                "repeated": shop.prices.repeated,
                "base": shop.prices.fell_back,
            },
            "records": {
                "sent": shop.outbox.sent,
                "waiting": shop.outbox.waiting,
                "repeated": shop.outbox.repeated,
                "dropped": shop.outbox.dropped,
                "prices_lost": shop.outbox.prices_lost,
            },
        }
    )


def last_price(visit: Visit, item: Item) -> int:
    """What the visitor was shown last, else the base price."""
    shown = visit.shown.get(item.item)
    return shown.price_micros if shown else item.base_micros


def card(
    shop: Shop, item: Item, prices: Mapping[str, Shown], criteria: Criteria
) -> dict[str, object]:
    """What a template shows of an item. `above`: its price has just passed the limit."""
    price = prices[item.item].price_micros
    most = criteria.max_micros
    return {
        "item": item.item,
        "title": item.title,
        "text": item.text,
        "facts": shop.words.facts(item),
        "dates": item.dates,
        "price": price,
        "above": most is not None and price > most,
    }
