# SPDX-License-Identifier: Apache-2.0
"""Amounts on the command line: dollars as a person writes them, micro-dollars inside."""

from __future__ import annotations

from decimal import Decimal

import click

_MICROS = 1_000_000
_MOST = 2**53 - 1


class Dollars(click.ParamType[int]):
    """`2.50` -> 2_500_000; nothing is rounded."""

    name = "dollars"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            micros = Decimal(str(value)) * _MICROS
        except ArithmeticError:
            self.fail(f"{value!r} is not an amount in dollars", param, ctx)
        if not micros.is_finite() or micros < 0 or micros > _MOST or micros % 1:
            self.fail(f"{value!r} is not an amount of whole micro-dollars", param, ctx)
        return int(micros)


DOLLARS = Dollars()
