# SPDX-License-Identifier: Apache-2.0
"""Contexts, creatives and who sits at which auction: drawn, or taken from given texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.errors import invalid
from pipelines_dagster.defs.market.creatives import BRANDS, Words, draw_text, read
from pipelines_dagster.defs.market.params import SEATS
from pipelines_dagster.defs.market.readers import Cosine
from pipelines_dagster.defs.market.topics import TOPICS, draw_contexts, products, unit

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

Encode = Callable[[list[str]], F32]
"""Texts to unit vectors [n, 128]."""

_CHOOSY = 0.12
"""Cosine that makes an advertiser e times as likely to be at an auction."""


@dataclass(frozen=True)
class World:
    """Contexts [n] and creatives [m].

    Attributes:
        owner: [m] place in `advertisers` of each creative's owner.
        scale: where cosines of this encoder turn from irrelevant to relevant.
    """

    ctx: F32
    ad: F32
    texts: tuple[str, ...]
    words: tuple[Words, ...]
    advertisers: tuple[str, ...]
    owner: I64
    cpm: F64
    cpc: F64
    scale: Cosine

    def fit(self, ctx: I64) -> F64:
        """[len(ctx), advertisers] cosine of each context with an advertiser's best creative."""
        best = np.full((len(ctx), len(self.advertisers)), -1.0)
        cosine = self.ctx[ctx] @ self.ad.T
        for place in range(len(self.advertisers)):
            mine = self.owner == place
            if mine.any():
                best[:, place] = cosine[:, mine].max(axis=1)
        return best


def draw_world(contexts: int, ads: int, rng: np.random.Generator) -> World:
    """The generative default: no file needed."""
    ctx, _ = draw_contexts(contexts, rng)
    topic = np.arange(ads) % len(TOPICS)
    owner = rng.integers(len(BRANDS), size=ads)
    drawn = [draw_text(BRANDS[o], int(t), rng) for o, t in zip(owner, topic, strict=True)]
    product = np.array([number for _, number in drawn])
    noise = 0.15 * unit(rng.standard_normal((ads, ctx.shape[1])))
    return _world(ctx, unit(products()[topic, product] + noise), [t for t, _ in drawn], owner, rng)


def text_world(
    chats: list[str], ads: list[str], owners: list[str], encode: Encode, rng: np.random.Generator
) -> World:
    """A world of given texts: `ads` are creatives as they are, `owners` their advertisers.

    The scale of relevance is the encoder's own: where a context's eighth best creative is, on the
    median, a pair is halfway relevant; the width is a fourth of the way down to the median pair.

    Raises:
        SkynetError: `too_few_advertisers`.
    """
    names = sorted(set(owners))
    if len(names) < SEATS:
        raise invalid("too_few_advertisers", f"The ads are of fewer than {SEATS} advertisers.")
    owner = np.array([names.index(name) for name in owners])
    ctx, ad = encode(chats), encode(ads)
    cosine = np.sort(ctx @ ad.T, axis=1)
    middle = float(np.median(cosine[:, -min(8, len(ad))]))
    scale = Cosine(middle, max(1e-3, (middle - float(np.median(cosine))) / 4))
    return _world(ctx, ad, ads, owner, rng, advertisers=tuple(names), scale=scale)


def seat(world: World, ctx: I64, rng: np.random.Generator) -> tuple[I64, F64]:
    """Who bids where: [n, SEATS] advertisers, more often those whose ads fit, and their fit."""
    fit = world.fit(ctx)
    score = fit / _CHOOSY + rng.gumbel(size=fit.shape)
    taken = np.argsort(-score, axis=1)[:, :SEATS]
    shuffled = rng.permuted(taken, axis=1)
    return shuffled, np.take_along_axis(fit, shuffled, axis=1)


def _world(
    ctx: F32,
    ad: F32,
    texts: Sequence[str],
    owner: I64,
    rng: np.random.Generator,
    *,
    advertisers: tuple[str, ...] = BRANDS,
    scale: Cosine | None = None,
) -> World:
    return World(
        ctx=ctx,
        ad=ad,
        texts=tuple(texts),
        words=tuple(read(text) for text in texts),
        advertisers=advertisers,
        owner=owner,
        cpm=np.round(rng.lognormal(np.log(8.0), 0.4, len(texts)), 2),
        cpc=np.round(rng.lognormal(np.log(0.9), 0.4, len(texts)), 2),
        scale=scale or Cosine(),
    )
