# SPDX-License-Identifier: Apache-2.0
"""Silence for a call that advises on the root logger; everything logs again after it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(level: int = logging.WARNING) -> Iterator[None]:
    """Drop records of this level and below, in this process, until the block ends or raises.

    `onnxruntime.quantization` asks every caller for a pre-processing that changes nothing for
    graphs which were made in their final shape.
    """
    before = logging.root.manager.disable
    logging.disable(max(before, level))
    try:
        yield
    finally:
        logging.disable(before)
