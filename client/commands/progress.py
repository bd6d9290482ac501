# SPDX-License-Identifier: Apache-2.0
"""A progress bar for long commands: on a terminal only, on stderr, gone when done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click

_STEPS = 1_000


class Show(Protocol):
    """Takes the share done, 0 to 1, and a word to stand behind the bar."""

    def __call__(self, share: float, note: str = "", /) -> None: ...


@contextmanager
def progress_bar(label: str) -> Iterator[Show]:
    """Yields what moves the bar, which says how long it may still take."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        length=_STEPS,
        label=label,
        file=sys.stderr,
        hidden=hidden,
        item_show_func=_note,
    ) as bar:

        def show(share: float, note: str = "", /) -> None:
            step = round(min(1.0, share) * _STEPS) - bar.pos
            if step > 0:
                bar.update(step, note)

        yield show


def _note(note: str | None) -> str:
    return note or ""
