# SPDX-License-Identifier: Apache-2.0
"""The static page: what it is served with and what it may load."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.client.harness import LiveGateway


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/web/app.js", "text/javascript; charset=utf-8"),
        ("/web/explain.js", "text/javascript; charset=utf-8"),
        ("/web/stream.js", "text/javascript; charset=utf-8"),
        ("/web/events.js", "text/javascript; charset=utf-8"),
        ("/web/style.css", "text/css; charset=utf-8"),
    ],
)
def test_files_and_headers(gateway: LiveGateway, path: str, kind: str) -> None:
    answer = httpx.get(gateway.url + path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/web/../cli.py", "/web/%2e%2e/cli.py", "/web/", "/web/index.html"]
)
def test_nothing_else_is_served(gateway: LiveGateway, path: str) -> None:
    assert httpx.get(gateway.url + path).status_code == 404


def test_the_page_loads_only_its_own_files(gateway: LiveGateway) -> None:
    page = httpx.get(gateway.url).text
    assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) == {"/web/style.css", "/web/app.js"}
    assert "style=" not in page and "onclick" not in page
