# SPDX-License-Identifier: Apache-2.0
"""Lines of sessions back into a book: what a gateway that starts again knows."""

from __future__ import annotations

from contextlib import suppress

from bls.errors import SkynetError
from bls.phantom.book import EVENT, SessionBook, ToldEvent, ToldQuote
from bls.phantom.lines import ACT, IMPORT, PRICES, Line
from bls.phantom.live import Standing
from bls.phantom.session import Quote, SessionEvent

_FAULTS = (KeyError, TypeError, ValueError, SkynetError)


def apply_line(book: SessionBook, line: Line) -> None:
    """One line of `lines_since`; a line that is none of ours changes nothing."""
    with suppress(*_FAULTS):
        if line["stream"] == PRICES:
            _price(book, line)
        else:
            _event(book, line)


def _price(book: SessionBook, line: Line) -> None:
    quote = Quote(line["item"], line["price_micros"], line["ts_ms"])
    told = ToldQuote(line["quote_id"], quote)
    book.quoted(line["session_id"], line["mode"], [told], line["ts"])


def _event(book: SessionBook, line: Line) -> None:
    if line["kind"] == IMPORT:
        book.note(EVENT, line["session_id"], line["event_id"], line["ts"])
        return
    session = book.open(line["session_id"], line["mode"], line["ts"])
    session.experiment, session.condition = line["experiment"], line["condition"]
    session.standing = Standing(line["label"], line["origin"], line["actor"])
    session.user_agent = line["user_agent"]
    if line["kind"] != ACT:
        return
    event = SessionEvent(line["action"], line["item"], line["ts_ms"], line["dwell_ms"])
    book.apply(session.sid, session.mode, [ToldEvent(line["event_id"], event)], line["ts"])
    if line["agent_probability"] is not None:
        session.scored(line["agent_probability"], int(line["agent_version"] or "0", 16))
