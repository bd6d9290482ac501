# SPDX-License-Identifier: Apache-2.0
"""Takes personal data out of a text: each piece becomes a word such as `[email]`.

Matchers are those of the output filter where they fit (`bls.policy`), `phonenumbers` for phone
numbers of any country, and rules for street addresses. Whatever is not replaced stays as it was,
byte for byte. Scrubbing twice changes nothing more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bls.guard.addresses import addresses
from bls.guard.names import names
from bls.guard.telephones import telephones
from bls.policy.accounts import cards, ibans
from bls.policy.emails import emails
from bls.policy.fold import fold
from bls.policy.match import Match
from bls.policy.phones import phones

KINDS = ("email", "iban", "card", "phone", "address", "name")
"""Where two overlap, the first of these stays."""

COUNTRIES = ("US", "GB")
"""Whose national phone numbers are looked for; international ones always are."""


_PASSES = 8
"""What stood beside a number may have hidden the next: look again until there is nothing."""

Span = tuple[str, int, int]


@dataclass(frozen=True)
class Scrubbed:
    """`found`: how many of each kind were replaced."""

    text: str
    found: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def scrub(text: str, *, with_names: bool = False, countries: Iterable[str] = COUNTRIES) -> Scrubbed:
    """`text` with a placeholder for every e-mail address, IBAN, card (Luhn), phone number and
    street address; with `with_names`, for names that a text says are names too.

    Args:
        countries: ISO 3166 codes of the countries whose way of writing phone numbers counts.
    """
    counts: Counter[str] = Counter()
    for _ in range(_PASSES):
        taken = _apart(_found(text, with_names, tuple(countries)))
        if not taken:
            break
        counts.update(kind for kind, _, _ in taken)
        text = _replaced(text, taken)
    return Scrubbed(text, MappingProxyType(dict(counts)))


def _replaced(text: str, taken: Iterable[Span]) -> str:
    parts, at = [], 0
    for kind, start, end in taken:
        parts += [text[at:start], f"[{kind}]"]
        at = end
    return "".join([*parts, text[at:]])


def _found(text: str, with_names: bool, countries: tuple[str, ...]) -> Iterator[Span]:
    """Spans in `text`, of every matcher."""
    plain, places = _folded(text)
    in_plain: list[Match] = list(emails(plain)) if "@" in plain else []
    if any(character.isdigit() for character in plain):
        in_plain += [*ibans(plain), *cards(plain), *phones(plain)]
        yield from (("phone", *span) for span in telephones(text, countries))
        yield from (("address", *span) for span in addresses(text))
    if with_names:
        yield from (("name", *span) for span in names(text))
    for match in in_plain:
        if places is None:
            yield match.reason, match.start, match.end
        else:
            yield match.reason, places[match.start], places[match.end - 1] + 1


def _folded(text: str) -> tuple[str, list[int] | None]:
    """The folded text and, where places differ, the place of each of its characters in `text`."""
    whole = fold(text)
    if text.isascii() and len(whole) == len(text):
        return whole, None
    folded, places = [], []
    for at, character in enumerate(text):
        part = fold(character)
        folded.append(part)
        places += [at] * len(part)
    return "".join(folded), places


def _apart(found: Iterable[Span]) -> list[Span]:
    """Spans that do not overlap, in order; of two that do, the one of the earlier kind."""
    kept: list[Span] = []
    ranked = sorted(found, key=lambda span: (KINDS.index(span[0]), span[1], -span[2]))
    busy: set[int] = set()
    for kind, start, end in ranked:
        if busy.isdisjoint(range(start, end)):
            busy.update(range(start, end))
            kept.append((kind, start, end))
    return sorted(kept, key=lambda span: span[1])
