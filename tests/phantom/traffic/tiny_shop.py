# SPDX-License-Identifier: Apache-2.0
"""The least that keeps the shop's promises to programs: pages of a made-up catalogue, a cart."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import uuid4

from bls.phantom.shop import Catalogue, Item
from pipelines_dagster.phantom.traffic.prices import base_price
from pipelines_dagster.phantom.traffic.shelf import Shelf
from pipelines_dagster.phantom.traffic.stall import PAGE
from pipelines_dagster.phantom.traffic.view import Query

_TRACK = """<script>
const since = new Map(), told = [];
const end = one => { const at = since.get(one); since.delete(one);
  const ms = Math.round(performance.now() - at);
  if (at !== undefined && ms >= 250) fetch('/events', {method: 'POST', keepalive: true,
    body: JSON.stringify({events: [{event_id: crypto.randomUUID(), action: one.dataset.hover,
      item: one.closest('[data-item]')?.dataset.item ?? '', dwell_ms: ms, ago_ms: 0}]})}); };
for (const one of document.querySelectorAll('[data-hover]')) {
  one.onpointerenter = () => since.set(one, performance.now());
  one.onpointerleave = () => end(one); }
addEventListener('pagehide', () => [...since.keys()].forEach(end));
</script>"""


@contextmanager
def tiny_shop(shop: Catalogue) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Its address, and the paths asked for by session."""
    shelf, asked = Shelf(shop), defaultdict[str, list[str]](list)
    carts = defaultdict[str, list[str]](list)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sid = self.headers.get("cookie", "").partition("skynet_shop=")[2].partition(".")[0]
            sid = sid or uuid4().hex
            where = urlsplit(self.path)
            if where.path == "/favicon.ico":
                return self.send_error(404)
            asked[sid].append(self.path)
            body = _page(shop, shelf, where.path, where.query, carts[sid])
            return self._answer(200, body, [("set-cookie", f"skynet_shop={sid}.secret; path=/")])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            sid = self.headers["cookie"].partition("skynet_shop=")[2].partition(".")[0]
            asked[sid].append(self.path)
            if self.path == "/events":
                return self._answer(204, "", [])
            item = parse_qs(body).get("item", [""])[0]
            if self.path == "/cart/add":
                carts[sid].append(item)
            elif self.path == "/cart/remove":
                carts[sid].remove(item)
            else:
                carts[sid].clear()
            return self._answer(303, "", [("location", "/cart" if item else "/thanks")])

        def _answer(self, status: int, body: str, headers: list[tuple[str, str]]) -> None:
            told = body.encode()
            self.send_response(status)
            for name, value in [*headers, ("content-type", "text/html; charset=utf-8")]:
                self.send_header(name, value)
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def _page(shop: Catalogue, shelf: Shelf, path: str, query: str, cart: list[str]) -> str:
    told = dict(parse_qsl(query))
    main = {"": lambda: _list(shop, shelf, told), "cart": lambda: _cart(shop, cart, True)}
    main["item"] = lambda: _item(shop.items[path.split("/")[2]], "more" in told)
    main["checkout"] = lambda: _cart(shop, cart, False)
    part = main.get(path.split("/")[1], lambda: "Thanks")()
    return (
        f'<!doctype html><a href="/">Home</a> <a href="/cart">Cart</a><main>{part}</main>{_TRACK}'
    )


def _list(shop: Catalogue, shelf: Shelf, told: dict[str, str]) -> str:
    names = sorted({name for item in shop.items.values() for name in item.facets})
    facets = tuple((name, told[name]) for name in names if told.get(name))
    most = float(told["max_price"]) * 1e6 if told.get("max_price") else None
    query = Query(told.get("q", ""), facets=facets, date=told.get("date", ""))
    found = [one for one in shelf.find(query) if most is None or one.base_micros <= most]
    if told.get("sort") == "price":
        found.sort(key=lambda one: one.base_micros)
    elif told.get("sort") == "name":
        found.sort(key=lambda one: one.title)
    page = int(told.get("page") or 1)
    cards = "".join(map(_card, found[PAGE * (page - 1) : PAGE * page]))
    kept = "&".join(f"{name}={value}" for name, value in told.items() if name != "page")
    more = f'<a rel="next" href="/?{escape(kept)}&page={page + 1}">Next</a>'
    return _form(shop, names, told) + cards + (more if len(found) > PAGE * page else "")


def _form(shop: Catalogue, names: list[str], told: dict[str, str]) -> str:
    def field(name: str) -> str:
        return f'<input name="{name}" value="{escape(told.get(name, ""))}">'

    def select(name: str, values: list[str]) -> str:
        options = "".join(
            f"<option{' selected' if told.get(name) == one else ''}>{one}</option>"
            for one in values
        )
        return f'<select name="{name}">{options}</select>'

    facets = "".join(
        select(name, ["", *sorted({one.facets[name] for one in shop.items.values()})])
        for name in names
    )
    return (
        f'<form action="/">{field("q")}<button data-action="search">s</button>'
        f'<input type="date" name="date" value="{told.get("date", "")}">'
        f'<button data-action="filter_date">d</button>{field("max_price")}'
        '<button data-action="filter_price">p</button>'
        f"<details><summary>More</summary>{facets}"
        '<button data-action="filter_price" data-filter="facets">f</button></details>'
        f"{select('sort', ['default', 'price', 'name'])}"
        '<button data-action="sort">o</button></form>'
    )


def _card(item: Item) -> str:
    return (
        f'<div data-item="{item.item}"><h3><a href="/item/{item.item}" data-action="view_item" '
        f'data-hover="hover_title">{item.title}</a></h3>'
        f'<p data-hover="hover_paragraph">{item.text}</p>{_buy(item)}</div>'
    )


def _item(item: Item, more: bool) -> str:
    link = f'<a href="/item/{item.item}?more=1" data-action="learn_more" data-hover="hover_link">'
    return (
        f'<a href="/" data-hover="hover_link">All</a><div data-item="{item.item}">'
        f'<h1 data-hover="hover_title">{item.title}</h1>'
        f'<p data-hover="hover_paragraph">{item.text}</p>{_buy(item)}'
        f"{'' if more else link + 'More</a>'}</div>"
    )


def _buy(item: Item) -> str:
    return (
        f'<b data-price-micros="{base_price(item, None)}">price</b>'  # type: ignore[arg-type]
        f'<form method="post" action="/cart/add"><input type="hidden" name="item" '
        f'value="{item.item}"><button data-action="add_item">Add</button></form>'
    )


def _cart(shop: Catalogue, cart: list[str], removable: bool) -> str:
    lines = "".join(
        f'<div data-item="{name}"><a href="/item/{name}" data-action="view_item" '
        f'data-hover="hover_title">{name}</a>'
        f'<b data-price-micros="{shop.items[name].base_micros}">p</b>'
        + (
            f'<form method="post" action="/cart/remove"><input type="hidden" name="item" '
            f'value="{name}"><button data-action="remove">x</button></form>'
            if removable
            else ""
        )
        + "</div>"
        for name in cart
    )
    if removable:
        return lines + '<a href="/checkout" data-action="checkout">Checkout</a>'
    return lines + (
        '<form method="post" action="/checkout"><input type="hidden" name="offer" value="1">'
        '<button data-action="purchase">Buy</button></form>'
    )
