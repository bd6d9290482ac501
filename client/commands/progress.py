# SPDX-License-Identifier: Apache-2.0
"""A progress bar for long commands: on a terminal only, on stderr, gone when done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_STEPS = 1_000


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None]]:
    """Yields a function that takes the share done, 0 to 1."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=_STEPS, label=label, file=sys.stderr, hidden=hidden) as bar:

        def show(share: float) -> None:
            step = round(min(1.0, share) * _STEPS) - bar.pos
            if step > 0:
                bar.update(step)

        yield show
