# SPDX-License-Identifier: Apache-2.0
"""Errors survive Triton as one line; foreign text never reaches a client."""

from __future__ import annotations

from bls.errors import SkynetError, capacity, invalid


def test_round_trip_inside_other_text() -> None:
    error = invalid("bad_thing", 'quotes " and ünïcode', "messages.0")
    text = f"in ensemble 'decode_step', {error.to_wire()} (and more)"
    back = SkynetError.from_wire(text)
    assert (back.code, back.message, back.status, back.param) == (
        "bad_thing",
        'quotes " and ünïcode',
        400,
        "messages.0",
    )
    assert SkynetError.from_wire(capacity("replies").to_wire()).status == 429


def test_foreign_text_becomes_internal() -> None:
    for text in ("", "Traceback: /secret/path", "skynet:", "skynet:{}", "skynet:[1]", "skynet:[,"):
        error = SkynetError.from_wire(text)
        assert error.code == "internal"
        assert "secret" not in error.message
