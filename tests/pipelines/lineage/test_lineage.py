# SPDX-License-Identifier: Apache-2.0
"""From a model's SHA to the Kafka offsets it came from, without gaps, or with them told."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner

from bls.errors import SkynetError
from bls.settings import Settings
from client.commands.lineage import lineage as command
from export.manifest import file_sha256
from pipelines_dagster.defs.gdpr.erase import erase
from pipelines_dagster.defs.lineage.definitions import DEFS
from pipelines_dagster.defs.lineage.graph import Edge, Graph, Kind, Node
from pipelines_dagster.defs.lineage.picture import dot, mermaid, svg
from pipelines_dagster.defs.lineage.report import STREAM
from pipelines_dagster.defs.lineage.trace import lineage
from pipelines_dagster.defs.operations.jobs import JOBS
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.bronze_of import append

MODEL = "pred_2026_11_22_01"


@dataclass(frozen=True)
class Made:
    settings: PipelineSettings
    lake: Lake
    sha256: str


def line(number: int) -> dict[str, object]:
    same = {"v": 1, "ts": 1.7e9 + number, "request_id": "r", "token_idx": number}
    return same | {"conv_id": f"c{number % 3}", "advertisers": ["a"], "weights": [1.0]}


def bids(lake: Lake, offsets: list[tuple[int, int]], **note: str) -> int:
    """Commits of one partition; the version of the last."""
    for first, after in offsets:
        append(lake, "auction.bids", [line(n) for n in range(first, after)], first, **note)
    return int(lake.open("bronze/auction_bids").version())  # type: ignore[union-attr]


def derive(made: PipelineSettings, bronze: int, sources: bool = True) -> Made:
    """Silver, a training set and a promoted model, with the notes that their makers leave."""
    lake = made.open_lake()
    rows = pl.DataFrame({"conv_id": ["c1"], "dt": ["2023-11-14"]})
    progress = {"bronze/auction_bids": bronze} if sources else None
    silver = lake.append("silver/bids", rows, progress=progress)
    folder = Path(lake.root) / "gold" / "predictor_dataset" / "0f"
    folder.mkdir(parents=True)
    tables = {"silver/bids": silver, "bronze/auction_bids": bronze}
    card = {"lake": tables, "days": ["2023-11-14", "2023-11-15"], "code": "0.1+abc"}
    (folder / "dataset.json").write_text(json.dumps(card))
    model = made.serving.models_folder / "pred" / MODEL
    model.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    sha256 = file_sha256(model / "manifest.json")
    details = {
        "code": "c0ffee" * 6,
        "dataset": str(folder),
        "dataset_sha256": file_sha256(folder / "dataset.json"),
    }
    promote(lake, MODEL, sha256, details)
    return Made(made, lake, sha256)


def promote(lake: Lake, version: str, sha256: str, details: dict[str, str]) -> None:
    rows = [
        {
            "ts": at,
            "subsystem": "pred",
            "event": event,
            "version": version,
            "sha256": sha256,
            "details": json.dumps(details),
        }
        for at, event in ((1.0, "trained"), (2.0, "promoted"))
    ]
    lake.append("ops/promotions", pl.DataFrame(rows))


@pytest.fixture
def settings(tmp_path: Path) -> PipelineSettings:
    return PipelineSettings(Settings(state=tmp_path))


@pytest.fixture
def made(settings: PipelineSettings) -> Made:
    return derive(settings, bids(settings.open_lake(), [(0, 5), (5, 9), (9, 20)]))


@pytest.mark.spec("ORC-S-04")
def test_a_model_is_followed_back_to_the_raw_events(made: Made) -> None:
    graph = lineage(made.settings, made.sha256)
    assert graph.whole and graph.depth >= 3 and graph.gaps == []
    kinds = {node.kind for node in graph.nodes.values()}
    assert kinds == set(Kind)
    (kafka,) = [node for node in graph.nodes.values() if node.kind is Kind.KAFKA]
    assert kafka.label == "auction.bids/0 [0, 20)" and kafka.about["commits"] == "3"
    assert (kafka.key, Edge.GENERATED, "bronze/auction_bids@3") in graph.edges
    assert ("bronze/auction_bids@3", Edge.USED, "silver/bids@1") in graph.edges
    assert ("silver/bids@1", Edge.USED, "dataset/predictor_dataset/0f") in graph.edges
    assert ("dataset/predictor_dataset/0f", Edge.USED, f"model/{MODEL}") in graph.edges
    assert json.loads(json.dumps(graph.as_json()))["depth"] == graph.depth == 4


def test_a_set_that_was_fetched_from_a_bucket_is_found(made: Made) -> None:
    cached = "/elsewhere/state/gold.cache/predictor_dataset/0f"
    promote(made.lake, "pred_s3", "ee" * 32, {"dataset": cached})
    assert lineage(made.settings, "pred_s3").whole


def test_a_model_that_read_a_table_is_followed(made: Made) -> None:
    silver = made.lake.open("silver/bids").version()  # type: ignore[union-attr]
    bronze = made.lake.open("bronze/auction_bids").version()  # type: ignore[union-attr]
    read: Any = {"lake": {"silver/bids": silver, "bronze/auction_bids": bronze}}
    promote(made.lake, "lambda_1", "ef" * 32, read)
    graph = lineage(made.settings, "lambda_1")
    assert graph.whole and (f"silver/bids@{silver}", Edge.USED, "model/lambda_1") in graph.edges


def test_only_what_the_version_held_counts(made: Made) -> None:
    bids(made.lake, [(20, 30), (35, 40)])
    assert lineage(made.settings, MODEL).whole, "a gap after the version that was used"


@pytest.mark.spec("ORC-S-04")
@pytest.mark.parametrize(
    ("offsets", "where"),
    [
        ([(0, 5), (7, 9), (9, 12)], "offsets [5, 7), version 2"),
        ([(0, 5), (3, 9)], "offsets [3, 5), version 2"),
    ],
)
def test_a_gap_is_told_with_its_place(
    settings: PipelineSettings, offsets: list[tuple[int, int]], where: str
) -> None:
    found = derive(settings, bids(settings.open_lake(), offsets))
    (gap,) = lineage(settings, found.sha256[:16]).gaps
    assert gap.where == f"auction.bids cluster c1 partition 0 {where}"
    assert not lineage(settings, MODEL).whole


def test_another_cluster_counts_from_its_own_beginning(settings: PipelineSettings) -> None:
    bids(settings.open_lake(), [(0, 5)])
    derive(settings, bids(settings.open_lake(), [(0, 3), (3, 4)], cluster="c2"))
    graph = lineage(settings, MODEL)
    assert graph.whole
    labels = sorted(n.label for n in graph.nodes.values() if n.kind is Kind.KAFKA)
    assert labels == ["auction.bids/0 [0, 4)", "auction.bids/0 [0, 5)"]


def test_what_kafka_dropped_is_a_gap(settings: PipelineSettings) -> None:
    derive(settings, bids(settings.open_lake(), [(0, 5)], lost='{"0": 7}'))
    (gap,) = lineage(settings, MODEL).gaps
    assert gap.why == "Kafka had dropped 7 messages"


def test_what_is_not_noted_is_a_gap(settings: PipelineSettings) -> None:
    derive(settings, bids(settings.open_lake(), [(0, 5)]), sources=False)
    whys = {gap.why for gap in lineage(settings, MODEL).gaps}
    assert whys == {"nothing says what it was made of"}
    promote(settings.open_lake(), "pred_x", "ab" * 32, {"dataset": "/x/gold/none/01"})
    assert {gap.why for gap in lineage(settings, "pred_x").gaps} == {
        "its card is gone",
        "its card names no tables",
    }
    promote(settings.open_lake(), "pred_y", "cd" * 32, {})
    assert not lineage(settings, "pred_y").whole


def test_a_table_that_ingest_never_wrote(settings: PipelineSettings) -> None:
    lake = settings.open_lake()
    lake.append("bronze/auction_bids", pl.DataFrame({"conv_id": ["c"], "dt": ["2023-11-14"]}))
    derive(settings, 0)
    assert "no commit says what it took" in {gap.why for gap in lineage(settings, MODEL).gaps}


def test_the_way_back_survives_an_erasure(made: Made) -> None:
    """Rows go, the notes of the commits that brought them stay."""
    assert erase(made.settings, conv_id="c1").done
    graph = lineage(made.settings, MODEL)
    assert graph.whole and "auction.bids/0 [0, 20)" in {n.label for n in graph.nodes.values()}


def test_a_model_is_found_by_version_and_by_digits(made: Made) -> None:
    assert lineage(made.settings, made.sha256[:8]).nodes.keys() == (
        lineage(made.settings, MODEL).nodes.keys()
    )
    for name, code in (("nothing", "no_model"), (made.sha256[:7], "no_model")):
        with pytest.raises(SkynetError) as caught:
            lineage(made.settings, name)
        assert caught.value.code == code
    promote(made.lake, "pred_z", made.sha256[:8] + "0" * 56, {})
    with pytest.raises(SkynetError) as caught:
        lineage(made.settings, made.sha256[:8])
    assert caught.value.code == "ambiguous_model"


def test_pictures(made: Made, tmp_path: Path) -> None:
    graph = lineage(made.settings, MODEL)
    graph.nodes["odd"] = Node("odd", Kind.CODE, 'a "<long>" name & ' + "x" * 40)
    picture = ET.fromstring(svg(graph))
    space = "{http://www.w3.org/2000/svg}"
    boxes = picture.findall(f"{space}g")
    assert len(boxes) == len(graph.nodes)
    corners = {(box[1].get("x"), box[1].get("y")) for box in boxes}
    assert len(corners) == len(graph.nodes), "no box lies on another"
    assert dot(graph).count("->") == len(graph.edges) and "flowchart LR" in mermaid(graph)
    assert ET.fromstring(svg(Graph())) is not None


def test_the_command(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYNET_STATE", str(made.settings.serving.state))
    run = CliRunner().invoke
    shown = run(command, [MODEL])
    assert shown.exit_code == 0 and "whole, 4 steps" in shown.output
    assert json.loads(run(command, [made.sha256, "--json"]).output)["whole"] is True
    assert run(command, [MODEL, "--dot"]).output.startswith("digraph")
    assert run(command, [MODEL, "--svg", str(tmp_path / "a.svg")]).exit_code == 0
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    promote(made.lake, "pred_y", "cd" * 32, {})
    broken = run(command, ["pred_y"])
    assert broken.exit_code == 1 and "GAP pred_y" in broken.output


@pytest.mark.spec("ORC-S-04")
def test_the_asset_reports_every_live_model(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYNET_STATE", str(made.settings.serving.state))
    own = dg.Definitions(resources={"pipelines": Pipelines()}, jobs=[JOBS["lineage"]])
    result = dg.Definitions.merge(DEFS, own).resolve_job_def("lineage").execute_in_process()
    (told,) = result.asset_materializations_for_node("ops__lineage")
    assert told.metadata["whole"].value is True and "mermaid" in told.metadata["picture"].value
    report = json.loads((made.settings.serving.logs / STREAM).read_bytes().splitlines()[-1])
    assert report["version"] == MODEL and report["whole"] and report["depth"] >= 3
