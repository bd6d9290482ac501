# SPDX-License-Identifier: Apache-2.0
"""Creatives that are stored already, judged and embedded; a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bls.ads.records import CreativeRecord
from bls.ads.store import AdStore
from client.intake.importer import BATCH, Embed
from client.intake.judge import Judge, verdicts


@dataclass
class Done:
    """`changed`: verdicts that are not as they were."""

    judged: int = 0
    changed: int = 0
    embedded: int = 0


def check_all(
    store: AdStore,
    wanted: Sequence[CreativeRecord],
    judge: Judge,
    embed: Embed,
    show: Callable[[float], None],
) -> Done:
    """Judge those that are `wanted`; then embed what may be shown.

    Raises `ads_unavailable`; what came before is stored, and running it again goes on.
    """
    done = Done()
    for start in range(0, len(wanted), BATCH):
        _judge(store, wanted[start : start + BATCH], judge, done)
        show((start + BATCH) / len(wanted) / 2)
    after = 0
    while batch := store.not_embedded(BATCH, after):
        after = batch[-1].seq
        made = embed({(one.msg_id, one.version): one.text for one in batch})
        done.embedded += store.put_embeddings(made)
    show(1.0)
    return done


def _judge(store: AdStore, batch: Sequence[CreativeRecord], judge: Judge, done: Done) -> None:
    said = verdicts(judge, [one.text for one in batch])
    done.judged += len(batch)
    done.changed += store.judge_all(
        [
            (one.msg_id, one.version, verdict.checked, verdict.reason)
            for one, verdict in zip(batch, said, strict=True)
        ]
    )
