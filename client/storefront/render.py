# SPDX-License-Identifier: Apache-2.0
"""Templates to pages: everything escaped, nothing undefined, money exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from client.storefront.shop import Shop
from client.storefront.visits import COOKIE, Visit

_SIGNS = {"EUR": "€"}


def money(micros: int, currency: str) -> str:
    """`€96.00`: two decimals, more only where the amount has more."""
    whole, rest = divmod(micros, 1_000_000)
    digits = f"{rest:06d}".rstrip("0").ljust(2, "0")
    sign = _SIGNS.get(currency)
    return f"{sign}{whole:,}.{digits}" if sign else f"{whole:,}.{digits} {currency}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # templates are files of the package: read once
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"money": money, "query": urlencode, "combine": _combine}
    return environment


def _combine(told: dict[str, str], **more: object) -> dict[str, object]:
    return told | more


_ENVIRONMENT = _environment()


def page(
    shop: Shop, visit: Visit | None, template: str, status: int = 200, **told: Any
) -> HTMLResponse:
    """A page of a visit, with its cookie; None is a page of nobody's, such as a crash's."""
    text = _ENVIRONMENT.get_template(f"{template}.html").render(
        page=template,
        words=shop.words,
        mode=shop.settings.mode,
        currency=shop.catalogue.currency,
        cart_count=visit.count if visit else 0,
        **told,
    )
    response = HTMLResponse(text, status, {"cache-control": "no-store"})
    if visit is not None:
        remember(response, visit)
    return response


def remember(response: Any, visit: Visit) -> None:
    """Set the session cookie: not for scripts, other sites' requests, or the clear after TLS."""
    response.set_cookie(
        COOKIE, visit.cookie, httponly=True, samesite="lax", secure=visit.secure, path="/"
    )
