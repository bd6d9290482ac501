# SPDX-License-Identifier: Apache-2.0
"""Aligned columns in a terminal: the first to the left, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence


def widths(*rows: Sequence[str]) -> list[int]:
    """The longest cell of every column."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def align(cells: Sequence[str], columns: Sequence[int]) -> str:
    """One line."""
    first, *others = [
        f"{cell:<{width}}" if index == 0 else f"{cell:>{width}}"
        for index, (cell, width) in enumerate(zip(cells, columns, strict=True))
    ]
    return "  ".join([first, *others])


def rule(columns: Sequence[int]) -> str:
    """A line across the table."""
    return "-" * (sum(columns) + 2 * len(columns) - 2)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Titles, a rule, and the rows."""
    columns = widths(head, *rows)
    return "\n".join([align(head, columns), rule(columns), *(align(row, columns) for row in rows)])
