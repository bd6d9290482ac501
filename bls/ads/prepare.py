# SPDX-License-Identifier: Apache-2.0
"""Makes a database ready before a server starts: tables, the campaign file, its ads judged and
embedded. So the first reply has the ads that the tenth has.

Whatever waits for the guard for another reason is judged later, by the gateway.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.ads.records import checked_of
from bls.ads.seed import message_id, seed
from bls.ads.store import AdStore
from bls.brain.context import files
from bls.brain.context.minilm import MiniLM
from bls.campaigns import Campaigns
from bls.contracts import Use
from bls.guard.guard import load_guard
from bls.settings import Settings

Embeddings = dict[tuple[str, int], NDArray[np.float32]]


def prepare(settings: Settings, campaigns: Campaigns) -> int:
    """How many creatives of the campaign file were judged. Again it changes nothing.

    Raises `ads_unavailable`, `campaign_taken`, or what keeps a guard or an encoder from loading.
    """
    engine = open_database(settings.database_url, settings.database_password)
    try:
        migrate(engine)
        seed(engine, campaigns)
        return _judge(AdStore(engine), settings, campaigns)
    finally:
        engine.dispose()


def _judge(store: AdStore, settings: Settings, campaigns: Campaigns) -> int:
    ours = {message_id(c) for c in campaigns.campaigns if c.creative is not None}
    waiting = [one for one in store.to_judge(len(ours)) if one.msg_id in ours]
    if waiting:
        rulings = load_guard(settings.guard_folder()).judge([w.text for w in waiting], Use.AD)
        store.judge_all(
            [
                (one.msg_id, one.version, checked_of(r), r.reason)
                for one, r in zip(waiting, rulings, strict=True)
            ]
        )
    wanted = [one for one in store.not_embedded(len(ours)) if one.msg_id in ours]
    if wanted:
        loaded = files.load()
        minilm = MiniLM(loaded.model, loaded.tokenizer)
        made: Embeddings = {(one.msg_id, one.version): minilm.embed(one.text) for one in wanted}
        store.put_embeddings(made)
    return len(waiting)
