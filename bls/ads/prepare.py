# SPDX-License-Identifier: Apache-2.0
"""Makes a database ready before a server starts: tables, the campaign file, its ads judged and
embedded. So the first reply has the ads that the tenth has.

Whatever waits for the guard for another reason is judged later, by the gateway.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.ads import creatives
from bls.ads.database import open_database, read
from bls.ads.migrate import migrate
from bls.ads.records import Checked, CreativeRecord, checked_of
from bls.ads.seed import message_id, seed
from bls.ads.store import AdStore
from bls.brain.context import files
from bls.brain.context.minilm import MiniLM
from bls.campaigns import Campaigns
from bls.contracts import Use
from bls.errors import SkynetError
from bls.guard.guard import load_guard
from bls.settings import Settings

Embeddings = dict[tuple[str, int], NDArray[np.float32]]


class Prepared(NamedTuple):
    """`judged`: how many creatives of the campaign file; `taken`: names of it that somebody else
    has, so they were left out."""

    judged: int
    taken: list[str]


def prepare(settings: Settings, campaigns: Campaigns) -> Prepared:
    """What was done. Again it changes nothing.

    Raises `ads_unavailable`, or what keeps a guard or an encoder from loading.
    """
    engine = open_database(settings.database_url, settings.database_password)
    try:
        migrate(engine)
        taken = seed(engine, campaigns)
        names = [message_id(c) for c in campaigns.campaigns if c.creative is not None]
        ours = [name for name in names if name not in taken]

        def found() -> list[CreativeRecord]:
            known = read(engine, lambda connection: creatives.found(connection, ours))
            return [one for one in known.values() if not one.deleted]

        store = AdStore(engine)
        judged = _judge(store, settings, found())
        _embed(store, found())
        return Prepared(judged, taken)
    finally:
        engine.dispose()


def _judge(store: AdStore, settings: Settings, ours: list[CreativeRecord]) -> int:
    waiting = [one for one in ours if one.checked is Checked.WAITING]
    if waiting:
        rulings = load_guard(settings.guard_folder()).judge([w.text for w in waiting], Use.AD)
        store.judge_all(
            [
                (one.msg_id, one.version, checked_of(r), r.reason)
                for one, r in zip(waiting, rulings, strict=True)
            ]
        )
    return len(waiting)


def _embed(store: AdStore, ours: list[CreativeRecord]) -> None:
    """A text of which nothing can be embedded stays without, so it is never chosen."""
    wanted = [one for one in ours if one.checked is Checked.OK and one.embedding is None]
    if not wanted:
        return
    loaded = files.load()
    minilm = MiniLM(loaded.model, loaded.tokenizer)
    made: Embeddings = {}
    for one in wanted:
        try:
            made[one.msg_id, one.version] = minilm.embed(one.text)
        except SkynetError as fault:
            if fault.code != "empty_text":
                raise
    store.put_embeddings(made)
