# SPDX-License-Identifier: Apache-2.0
"""Avro bytes of our records, several times faster than the general writer.

A schema is compiled once into a list of small steps: numbers next to each other are packed in one
call, texts that come again are remembered. `fastavro.schemaless_writer` is the slow twin that the
tests compare every byte with. It is also stricter than the twin: an `int` is 32 bits, a boolean is
no None. Source: Avro 1.12 specification, "Binary Encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

Datum = Mapping[str, Any]
Encoder = Callable[[Datum], bytes]
Step = tuple[Callable[[Any], Any], Callable[[Any], bytes]]

_TEXTS = 1 << 16
_LONGS = {"int": "i", "long": "q"}
_REALS = {"double": "d", "float": "f"}
_FAULTS = (KeyError, TypeError, ValueError, AttributeError, OverflowError, struct.error)


class NotOfSchemaError(ValueError):
    """A datum that its schema does not describe."""


class _Varints(dict[int, bytes]):
    """Zigzag varints; those of small numbers are kept."""

    def __missing__(self, number: int) -> bytes:
        left = (number << 1) ^ (number >> 63)
        out = bytearray()
        while left > 0x7F:
            out.append(left & 0x7F | 0x80)
            left >>= 7
        out.append(left)
        return bytes(out)


class _Texts(dict[str, bytes]):
    """Texts with their length; those seen lately are kept."""

    def __missing__(self, text: str) -> bytes:
        if len(self) >= _TEXTS:
            self.clear()
        found = self[text] = text_bytes(text)
        return found


class _Lists(dict[tuple[str, ...], bytes]):
    """Whole arrays of texts, such as the advertisers of a reply; those seen lately are kept."""

    def __missing__(self, texts: tuple[str, ...]) -> bytes:
        if len(self) >= _TEXTS:
            self.clear()
        parts = [VARINTS[len(texts)], *map(text_bytes, texts), b"\0"] if texts else [b"\0"]
        found = self[texts] = b"".join(parts)
        return found


VARINTS = _Varints()
VARINTS.update({number: VARINTS.__missing__(number) for number in range(-64, 1 << 14)})


def text_bytes(text: str) -> bytes:
    """A text with its length."""
    return raw_bytes(text.encode())


def raw_bytes(raw: bytes) -> bytes:
    """Bytes with their length."""
    return VARINTS[len(raw)] + raw


_PLAIN: dict[str, Callable[[Any], bytes]] = {
    "int": VARINTS.__getitem__,
    "long": VARINTS.__getitem__,
    "double": struct.Struct("<d").pack,
    "float": struct.Struct("<f").pack,
    "string": _Texts().__getitem__,
    "boolean": {True: b"\1", False: b"\0"}.__getitem__,
    "bytes": raw_bytes,
}


def compile_schema(parsed: Mapping[str, Any], unique: frozenset[str] = frozenset()) -> Encoder:
    """An encoder of data of a record schema; it raises `NotOfSchemaError`.

    Args:
        unique: text fields whose values never come again, so are not remembered.
    """
    write = _record(parsed, unique)

    def encode(datum: Datum) -> bytes:
        try:
            return write(datum)
        except _FAULTS as fault:
            raise NotOfSchemaError(type(fault).__name__) from None

    return encode


def _record(parsed: Mapping[str, Any], unique: frozenset[str] = frozenset()) -> Encoder:
    steps: list[Step] = []
    for reals, run in groupby(parsed["fields"], lambda field: field["type"] == "double"):
        fields = list(run)
        if reals and len(fields) > 1:
            steps.append((itemgetter(*(f["name"] for f in fields)), _packer("d" * len(fields))))
            continue
        steps += [(itemgetter(f["name"]), _writer(f["type"], f["name"] in unique)) for f in fields]
    check = _range_check(parsed["fields"])

    def write(datum: Datum) -> bytes:
        check(datum)
        return b"".join([put(get(datum)) for get, put in steps])

    return write


def _range_check(fields: Sequence[Mapping[str, Any]]) -> Callable[[Datum], object]:
    """Raises unless every integer field is one, and fits."""
    found = {f["name"]: _LONGS[f["type"]] for f in fields if f["type"] in ("int", "long")}
    if not found:
        return len
    pack = struct.Struct("<" + "".join(found.values())).pack
    if len(found) == 1:
        (name,) = found
        return lambda datum: pack(datum[name])
    get = itemgetter(*found)
    return lambda datum: pack(*get(datum))


def _writer(kind: Any, unique: bool = False) -> Callable[[Any], bytes]:
    """Writes one value; integers were checked before."""
    if isinstance(kind, Mapping):
        return _array(kind["items"]) if kind["type"] == "array" else _record(kind)
    if unique and kind == "string":
        return text_bytes
    if kind not in _PLAIN:
        raise TypeError(f"events have no fields of type {kind}")
    return _PLAIN[kind]


def _array(items: Any) -> Callable[[Any], bytes]:
    """One block of all items, then the empty block that ends an array."""
    if isinstance(items, str) and items in (*_LONGS, *_REALS):
        return _numbers(items)
    if items == "string":
        return _texts(_Lists().__getitem__)
    one = _writer(items)

    def write(values: Sequence[Any]) -> bytes:
        if not isinstance(values, list | tuple):
            raise TypeError("expected a list")
        if not values:
            return b"\0"
        return b"".join([VARINTS[len(values)], *map(one, values), b"\0"])

    return write


def _texts(known: Callable[[tuple[str, ...]], bytes]) -> Callable[[Any], bytes]:
    def write(values: Any) -> bytes:
        if not isinstance(values, list | tuple):
            raise TypeError("expected a list")
        return known(tuple(values))

    return write


def _numbers(kind: str) -> Callable[[Sequence[Any]], bytes]:
    packed = kind in _REALS
    code = _REALS[kind] if packed else _LONGS[kind]

    @cache
    def pack_of(count: int) -> Callable[..., bytes]:
        return struct.Struct(f"<{count}{code}").pack

    def write_packed(values: Sequence[Any]) -> bytes:
        count = len(values)
        return VARINTS[count] + pack_of(count)(*values) + b"\0" if count else b"\0"

    def write_varints(values: Sequence[Any]) -> bytes:
        count = len(values)
        pack_of(count)(*values)  # they are integers that fit
        body = b"".join([VARINTS[value] for value in values])
        return VARINTS[count] + body + b"\0" if count else b"\0"

    return write_packed if packed else write_varints


def _packer(codes: str) -> Callable[[Any], bytes]:
    pack = struct.Struct("<" + codes).pack
    return lambda values: pack(*values)
