# SPDX-License-Identifier: Apache-2.0
"""`models/summariser`: from a file of dialogues to a version that the server loads."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bls.condense.summariser import SELECTION, Summariser
from bls.errors import SkynetError
from export.model_manifest import ModelManifest
from export.summariser import make
from export.summariser.training import Stage
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.training.run import train_one
from pipelines_dagster.defs.training.summariser import DIALOGUES
from pipelines_dagster.registry.store import local_path
from pipelines_dagster.settings import PipelineSettings

PLACES = ("Palo Alto", "San Jose", "Milpitas", "San Bruno", "Oakland")


def dialogue(number: int) -> dict[str, object]:
    place = PLACES[number % len(PLACES)]
    said = [
        ("user", f"I would like a table in {place} for {number % 9 + 1}, please."),
        ("assistant", f"There is a nice Italian place in {place}. At what time?"),
        ("user", f"At {number % 12 + 1} pm would be great. What is their number?"),
        ("assistant", f"It is 650-555-{number:04}. Is there anything else?"),
    ]
    turns = [{"role": role, "content": text} for role, text in said]
    return {"id": f"{number:05}", "turns": turns}


def test_without_dialogues_nothing_is_trained(settings: PipelineSettings, desk: Desk) -> None:
    with pytest.raises(SkynetError) as refused:
        train_one("summariser", settings, desk)
    assert refused.value.code == "no_data"


def test_a_version_that_can_be_served(
    settings: PipelineSettings, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(make.PROFILES["quick"], selecting=Stage(3, 4e-3, 60.0, batch=4))
    monkeypatch.setitem(make.PROFILES, "quick", few)
    path = Path(settings.lake_root) / DIALOGUES
    path.parent.mkdir(parents=True)
    lines = "\n".join(json.dumps(dialogue(number)) for number in range(120))
    path.write_bytes(gzip.compress(lines.encode()))
    event = train_one("summariser", settings, desk, seed=2)
    folder = local_path(event.stored.uri)
    manifest = ModelManifest.load(folder)
    assert manifest.details["kind"] == SELECTION and 0 < manifest.metrics["kept_agreement"] <= 1
    (summary,) = Summariser(folder)([list(range(500, 564))])
    assert len(summary) == 32
