# SPDX-License-Identifier: Apache-2.0
"""How a reply looks in a terminal: the chat view, the per-token demo view, the receipt."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence
from typing import Protocol, TextIO

from client.palette import Palette, printable, wants_colour
from client.prelude import prelude_line
from client.replies import Bid, Event, Receipt, Start, Text, Token
from client.table import align, rule, widths

_COLUMNS = ("advertiser", "bid", "tokens", "payment", "critical bid", "charged")


class View(Protocol):
    """Something that shows events as they come."""

    def show(self, event: Event) -> None:
        """Show one event."""


class ChatView:
    """Text as it streams, sponsored tokens in their advertiser's colour, receipt last."""

    def __init__(self, out: TextIO):
        self._out = out
        self._palette = Palette(wants_colour(out))

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Start):
            self._palette = Palette(wants_colour(self._out), event.rows[1:])
            if line := prelude_line(event.prelude, brief=True):
                self._write(self._palette.dim(printable(f"({line})")) + "\n")
        elif isinstance(event, Token):
            self._write(paint_token(event, self._palette))
        elif isinstance(event, Text):
            text = printable(event.text)
            self._write(self._palette.dim(text) if event.disclosure else text)
        else:
            self._write("\n\n" + receipt_table(event, self._palette) + "\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class DemoView:
    """One line per token with its auction; the text so far runs below it on a terminal."""

    def __init__(self, out: TextIO):
        self._out = out
        self._live = out.isatty()
        self._palette = Palette(wants_colour(out))
        self._painted: list[str] = []
        self._plain = ""

    def show(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Start):
            self._palette = Palette(wants_colour(self._out), event.rows[1:])
            line = prelude_line(event.prelude, brief=False)
            self._line(self._palette.dim(printable(line)))
            self._line(self._palette.dim(header_lines(event.rows[1:])))
        elif isinstance(event, Token):
            self._grow(printable(event.text), paint_token(event, self._palette))
            self._line(token_line(event, self._palette))
        elif isinstance(event, Text):
            text = printable(event.text)
            self._grow(text, self._palette.dim(text) if event.disclosure else text)
        else:
            self._line("\n" + "".join(self._painted) + "\n")
            self._line(receipt_table(event, self._palette), last=True)

    def _grow(self, plain: str, painted: str) -> None:
        self._plain += plain
        self._painted.append(painted)

    def _line(self, text: str, last: bool = False) -> None:
        erase = "\r\x1b[K" if self._live else ""
        room = shutil.get_terminal_size().columns - 4
        running = self._plain[-room:].replace("\n", " ")
        tail = self._palette.dim("> " + running) if self._live and not last else ""
        self._out.write(f"{erase}{text}\n{tail}")
        self._out.flush()


def paint_token(token: Token, palette: Palette) -> str:
    """The token's text, in its advertiser's colour when it is sponsored."""
    text = printable(token.text)
    return palette.paint(text, token.winner) if token.sponsored else text


def header_lines(advertisers: Sequence[str]) -> str:
    """Column titles of the demo view: a name over each advertiser's three numbers."""
    names = "".join(f" | {name[:25]:<25}" for name in advertisers)
    titles = f"{'#':>4}  {'token':<14}  {'winner':<16}  {'margin':>8}"
    return f"{'':50}{names}\n{titles}" + f" | {'bid':>7} {'charge':>8} {'critical':>8}" * len(
        advertisers
    )


def token_line(token: Token, palette: Palette) -> str:
    """One aligned line: index, token, winner, margin, then bid, charge, critical bid by row."""
    shown = repr(printable(token.text))[1:-1][:14]
    winner = (token.winner or "reference")[:16]
    name = token.winner if token.sponsored else None
    mark = "!" if token.policy else "~" if token.near_tie else " "
    head = f"{token.index:>4}  {palette.paint(pad(shown, 14), name)}  "
    head += f"{palette.paint(f'{winner:<16}', name)} {mark}{_number(token.margin, 8, 4)}"
    return head + "".join(f" | {_bid(row)}" for row in token.rows)


def pad(text: str, width: int) -> str:
    """`text` filled up to `width` terminal cells; wide characters take two."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return text + " " * (width - len(text) - wide)


def _bid(row: Bid) -> str:
    if row.status != "ok":
        return f"{'left out: ' + row.status:<25}"
    critical = _number(row.critical_bid, 8, 4)
    return f"{_number(row.bid, 7, 2)} {_number(row.charge, 8, 5)} {critical}"


def _number(value: float | None, width: int, places: int) -> str:
    """Zero is a bare 0, so that what was really charged stands out."""
    shown = "-" if value is None else "0" if value == 0 else f"{value:.{places}f}"
    return f"{shown:>{width}}"


def dollars(micros: int) -> str:
    """Integer millionths, exactly: no floating point touches money."""
    sign = "-" if micros < 0 else ""
    return f"{sign}${abs(micros) // 1_000_000}.{abs(micros) % 1_000_000:06d}"


def receipt_table(receipt: Receipt, palette: Palette) -> str:
    """Who pays what, and why the reply ended."""
    rows = [
        (
            line.advertiser,
            f"{line.bid if line.mean_bid is None else line.mean_bid:.4g}",
            str(line.tokens_influenced),
            dollars(line.pay_micros),
            dollars(line.critical_bid_micros),
            dollars(line.charge_micros),
        )
        for line in receipt.lines
    ]
    total = ("total", "", str(receipt.sponsored_tokens), "", "", dollars(receipt.total_micros))
    columns = widths(_COLUMNS, *rows, total)
    body = [palette.paint(align(row, columns), row[0]) for row in rows]
    across = rule(columns)
    table = [align(_COLUMNS, columns), across, *body, across, align(total, columns)]
    return "\n".join([*table, palette.dim(_summary(receipt))])


def _summary(receipt: Receipt) -> str:
    first = receipt.timings.get("ttft_ms")
    timing = f", first token {first:.0f} ms" if first is not None else ""
    refused = f"{receipt.policy_tokens} replaced by policy, " if receipt.policy_tokens else ""
    refunded = f", {dollars(receipt.refunded_micros)} refunded" if receipt.refunded_micros else ""
    return (
        f"{receipt.completion_tokens} tokens, {receipt.sponsored_tokens} sponsored, {refused}"
        f"charged by {receipt.charge_rule}{refunded}, ended by {receipt.finish_reason}{timing}; "
        f"{receipt.request_id}"
    )
