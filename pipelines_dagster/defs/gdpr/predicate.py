# SPDX-License-Identifier: Apache-2.0
"""Which rows are the subject's: as SQL for the table's own delete, as an expression for the proof.

Both are made from the same `Keys`. A value is a literal, its quotes doubled: nothing in it is ever
read as SQL (ORC-U-05). The shape of a column decides how it is compared:

    text or number              the whole row is the subject's
    list of texts               the row is everybody's: the name in it is blanked
    list of records             the same, in a field of the records
    bytes of a dead letter      the id as Avro and as JSON write it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipelines_dagster.defs.gdpr.subject import Kind, Subject

Value = str | int
BLANK = "-erased-"
"""Takes the place of a name among others; no advertiser can have it."""

_SHARED = {Kind.ADV: ("advertisers",)}
_RECORDS = {Kind.ADV: (("lines", "advertiser"),)}
_DEAD = "dead"


@dataclass(frozen=True)
class Keys:
    """The subject's id, and ids that belong to it alone, by column.

    Attributes:
        links: column -> values, such as an advertiser's creatives.
    """

    subject: Subject
    links: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    def values(self, column: str) -> tuple[Value, ...]:
        own = (self.subject.value,) if column in self.subject.kind.columns else ()
        return tuple(dict.fromkeys((*own, *self.links.get(column, ()))))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.subject.kind.columns, *self.links)))


def where(keys: Keys, schema: pl.Schema, table: str = "") -> str:
    """The SQL predicate of the rows to delete; empty when the table has no such column."""
    parts = []
    for column in keys.columns:
        kind = schema.get(column)
        if kind is not None and (values := _fitting(keys.values(column), kind)):
            parts.append(f"{column} {_in(values)}")
    for column, kind in schema.items():
        if _DEAD in table and kind == pl.Binary:
            parts += [f"encode({column}, 'hex') LIKE '%{w.hex()}%'" for w in words(keys.subject)]
    return " OR ".join(parts)


def rows(keys: Keys, schema: pl.Schema, table: str = "") -> pl.Expr | None:
    """The same rows as an expression; None when the table has no such column."""
    parts = []
    for column in keys.columns:
        kind = schema.get(column)
        if kind is not None and (values := _fitting(keys.values(column), kind)):
            parts.append(pl.col(column).is_in(list(values)))
    for column, kind in schema.items():
        if _DEAD in table and kind == pl.Binary:
            parts += [pl.col(column).bin.contains(w) for w in words(keys.subject)]
    return pl.any_horizontal(parts).fill_null(False) if parts else None


def shared(keys: Keys, schema: pl.Schema) -> tuple[pl.Expr, list[pl.Expr]] | None:
    """(rows that name the subject among others, their columns with it blanked)."""
    wanted, blanked = [], []
    value = keys.subject.value
    for column in _SHARED.get(keys.subject.kind, ()):
        if schema.get(column) == pl.List(pl.String):
            wanted.append(pl.col(column).list.contains(value))
            blanked.append(pl.col(column).list.eval(_blank(pl.element(), value)))
    for column, name in _RECORDS.get(keys.subject.kind, ()):
        inner = getattr(schema.get(column), "inner", None)
        if isinstance(inner, pl.Struct) and name in {f.name for f in inner.fields}:
            named = pl.element().struct.field(name) == value
            wanted.append(pl.col(column).list.eval(named).list.any())
            changed = _blank(pl.field(name), value).alias(name)
            blanked.append(pl.col(column).list.eval(pl.element().struct.with_fields(changed)))
    return (pl.any_horizontal(wanted).fill_null(False), blanked) if wanted else None


def anything(keys: Keys, schema: pl.Schema, table: str = "") -> pl.Expr | None:
    """Rows that hold the subject in any way: of which there must be none afterwards."""
    whole, part = rows(keys, schema, table), shared(keys, schema)
    found = [one for one in (whole, part[0] if part else None) if one is not None]
    return pl.any_horizontal(found) if found else None


def words(subject: Subject) -> tuple[bytes, bytes]:
    """The id within an encoded event: Avro's length and text, JSON's text in quotes."""
    text = subject.value.encode()
    length, head = 2 * len(text), b""
    while length > 0x7F:
        head += bytes([length & 0x7F | 0x80])
        length >>= 7
    return head + bytes([length]) + text, b'"' + text + b'"'


def _blank(name: pl.Expr, value: str) -> pl.Expr:
    return pl.when(name == value).then(pl.lit(BLANK)).otherwise(name)


def _fitting(values: tuple[Value, ...], kind: pl.DataType) -> tuple[Value, ...]:
    """Values that a column of this type can hold; a number may have come as text."""
    if kind == pl.String:
        return tuple(str(value) for value in values)
    if kind.is_integer():
        return tuple(int(v) for v in values if str(v).removeprefix("-").isdigit())
    return ()


def _in(values: tuple[Value, ...]) -> str:
    if len(values) == 1:
        return f"= {literal(values[0])}"
    return f"IN ({', '.join(map(literal, values))})"


def literal(value: Value) -> str:
    """An SQL literal."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
