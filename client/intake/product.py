# SPDX-License-Identifier: Apache-2.0
"""One product of a file, cleaned, with the names it gets here."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bls.request import ID_PATTERN
from client.intake.categories import category_of
from client.intake.columns import Columns
from client.intake.faults import Fault, RowError
from client.intake.plain import plain

TITLE, BRAND, NAME, SITE = 200, 80, 64, 120
"""Most characters of each."""

_ODD = re.compile(r"[^a-z0-9]+")
_HOST = re.compile(r"^(?:https?://)?(?:www\.)?", re.IGNORECASE)


@dataclass(frozen=True)
class Product:
    """Attributes:
    line: in the file.
    msg_id: `<advertiser>.<id of the file>`, or of the content's hash where the file has no id.
    advertiser: a name as `bls.request.NAME_PATTERN` wants it.
    category: one of `bls.guard.categories.CATEGORIES`.
    """

    line: int
    msg_id: str
    advertiser: str
    brand: str
    title: str
    description: str
    website: str
    category: str

    @property
    def campaign_id(self) -> str:
        """One campaign of each advertiser and category."""
        return f"{self.advertiser}.{self.category}"


def product_of(
    line: int,
    cells: Mapping[str, str],
    columns: Columns,
    *,
    special: Sequence[str] = (),
    advertiser: str = "",
    category: str = "",
) -> Product:
    """The product of a row.

    Args:
        special: control tokens of the served model.
        advertiser: of every row, whatever the file says.
        category: the same.

    Raises:
        RowError: what the row lacks.
    """

    def cell(field: str, most: int) -> str:
        return plain(columns.cell(field, cells), special)[:most].strip()

    title = cell("title", TITLE)
    if not title:
        raise RowError(Fault.NO_TITLE)
    description = plain(columns.cell("description", cells), special)
    website = _HOST.sub("", cell("website", SITE)).partition("/")[0]
    whose = advertiser or next(
        (found for name in columns.advertiser if (found := plain(cells[name], special))), ""
    )
    if not whose:
        raise RowError(Fault.NO_ADVERTISER)
    name = slug(_HOST.sub("", whose).partition("/")[0])
    brand = cell("brand", BRAND) or whose[:BRAND]
    number = cell("id", 128)
    return Product(
        line=line,
        msg_id=msg_id(name, number, (title, description, website)),
        advertiser=name,
        brand=brand,
        title=title,
        description=description,
        website=website,
        category=category or category_of(cell("category", 200), title, description),
    )


def slug(name: str) -> str:
    """`name` in [a-z0-9_], at most 64; one without such characters gets a hash. Never empty."""
    folded = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    made = _ODD.sub("_", folded).strip("_")[:NAME].strip("_")
    return made or f"x{_hash(name)}"


def msg_id(advertiser: str, number: str, content: Sequence[str]) -> str:
    """The same row has the same name always; another advertiser's row never has it."""
    if number and re.fullmatch(ID_PATTERN, made := f"{advertiser}.{number}"):
        return made
    return f"{advertiser}.{_hash(number or chr(0).join(content))}"


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
