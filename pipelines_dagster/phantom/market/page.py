# SPDX-License-Identifier: Apache-2.0
"""Figures into a page: what lies between `<!-- name -->` and `<!-- /name -->` is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bls.errors import SkynetError


def put(page: Path, name: str, text: str) -> None:
    """Replaces the part. Raises `no_mark` where the page has no such part."""
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    whole = page.read_text() if page.is_file() else ""
    head, opened, rest = whole.partition(first)
    _, closed, tail = rest.partition(last)
    if not (opened and closed):
        raise SkynetError("no_mark", f"The page has no part named {name}.", 404)
    page.write_text(f"{head}{first}\n{text.strip()}\n{last}{tail}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
