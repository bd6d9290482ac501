# SPDX-License-Identifier: Apache-2.0
"""Axis vectors of real texts: the base of the synthetic ones, and the queries kept out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bls.brain.context.encoder import ContextEncoder
from bls.select.index.protocol import F32
from export.context_encoder.texts import read_texts


class Real(NamedTuple):
    """f32 [n, 128] each: texts to imitate, and contexts to ask with."""

    base: F32
    queries: F32


def real(ads: Sequence[str], chats: Sequence[str], work: Path, queries: int, most: int) -> Real:
    """Embed the texts of the sources (`export.context_encoder.texts`), or read what an earlier call
    embedded.

    The last chats are the queries; ads and at most `most` other chats are the base.
    """
    named = "\n".join([*ads, "", *chats, str(queries), str(most)])
    kept = work / f"real-{hashlib.sha256(named.encode()).hexdigest()[:12]}.npz"
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as found:
            return Real(found["base"], found["queries"])
    encoder = ContextEncoder(cache=0)
    said = [text for source in chats for text in read_texts(source)]
    base = [text for source in ads for text in read_texts(source)] + said[:-queries][:most]
    made = Real(encoder.encode(base), encoder.encode(said[-queries:]))
    work.mkdir(parents=True, exist_ok=True)
    np.savez(kept, base=made.base, queries=made.queries)
    return made
