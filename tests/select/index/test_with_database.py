# SPDX-License-Identifier: Apache-2.0
"""The keeper on a real database with the real MiniLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.ads.records import CampaignRecord, Checked, Status
from bls.brain.context import axes, files
from bls.select.index.embedder import minilm
from bls.select.index.keeper import IndexKeeper
from tests.select.index.ads import AXES, until

TEXTS = {
    "coat": "A warm winter coat with a hood, made of wool.",
    "flight": "Cheap flights to Lisbon, every Friday.",
    "pan": "A cast-iron pan that lasts a lifetime.",
}


@pytest.mark.spec("MRO-I-06")
@pytest.mark.spec("MRO-S-03")
def test_creatives_come_and_go(tmp_path: Path) -> None:
    pytest.importorskip("bls.ads.store", reason="the store of ads is not in this checkout")
    from bls.ads import records  # noqa: PLC0415
    from bls.ads.database import open_database  # noqa: PLC0415
    from bls.ads.migrate import migrate  # noqa: PLC0415
    from bls.ads.store import AdStore  # noqa: PLC0415

    engine = open_database(f"sqlite:///{tmp_path / 'ads.db'}")
    migrate(engine)
    store = AdStore(engine)
    store.put_campaign(
        CampaignRecord("c1", "a1", "A", "shopping", 0.5, 1, 1, 0, None, None, Status.ACTIVE)
    )
    store.put_creatives(
        [records.NewCreative(name, "c1", text, Checked.OK) for name, text in TEXTS.items()]
    )
    p_k, embed = files.load().p_k, minilm()
    ctx = axes.project(p_k, embed("I need something warm to wear in the snow"))

    def found(k: int = 3) -> list[str]:
        index = keeper.generation(AXES)
        assert index is not None
        rows = index.search(ctx, k).rows
        return [one.msg_id for row in rows if (one := index.record(int(row))) is not None]

    keeper = IndexKeeper(store, poll_s=0.05)
    try:
        assert keeper.start(p_k, AXES)
        until(lambda: len(found()) == 3)
        assert found()[0] == "coat"
        store.put_creatives(
            [records.NewCreative("boots", "c1", "Snow boots, warm to -20.", Checked.WAITING)]
        )
        version = next(one for one in store.creatives() if one.msg_id == "boots").version
        assert store.judge("boots", version, Checked.OK, "")
        until(lambda: "boots" in found(2))
        assert store.delete_creative("coat")
        until(lambda: "coat" not in found(4))
        assert len(found(4)) == 3
    finally:
        keeper.stop()
        engine.dispose()
