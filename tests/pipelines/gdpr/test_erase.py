# SPDX-License-Identifier: Apache-2.0
"""A conversation, an advertiser, a context, a creative: gone from every layer, and proven so."""

from __future__ import annotations

import json
import time
from pathlib import Path

import orjson
import polars as pl
import pytest

from bls.settlement.recompute import settle
from pipelines_dagster.defs.gdpr import audit, requests
from pipelines_dagster.defs.gdpr import erase as module
from pipelines_dagster.defs.gdpr.erase import dry_run, erase, resume
from pipelines_dagster.defs.gdpr.layers import tables
from pipelines_dagster.defs.gdpr.models import TABLE as INVALIDATIONS
from pipelines_dagster.defs.gdpr.models import retrain_due
from pipelines_dagster.defs.gdpr.predicate import BLANK, Keys, anything
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.defs.gdpr.tombstones import BILLING, Tombstones
from pipelines_dagster.defs.market.from_events import bids_from_events
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.gdpr.world import CONVS, World, copied, make, texts


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make(tmp_path_factory.mktemp("template"))


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    return copied(template, tmp_path / "state")


def files_with(root: Path, value: str) -> list[str]:
    """Every Parquet file whatever knows it, every log of a table, that still has the value."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            text = (
                frame.write_ndjson()
                if "top_id" not in frame.columns
                else (frame.drop("top_id", "top_logit").write_ndjson())
            )
            hit = f'"{value}"' in text or f'"{value}:' in text
        else:
            text = path.read_text(errors="replace") if path.is_file() else ""
            hit = value in text and f"{value}0" not in text
        if hit:
            found.append(str(path.relative_to(root)))
    return found


@pytest.mark.spec("ORC-I-04", "AUC-S-04")
def test_a_conversation_is_gone_from_every_layer(world: World) -> None:
    root = Path(world.lake.root)
    before = {table: _rows(world.lake, table) for table in tables(world.lake)}
    assert files_with(root, world.conv), "the test looks where it should"
    result = erase(world.settings, conv_id=world.conv)
    assert result.done and files_with(root, world.conv) == []
    for table in ("bronze/auction_bids", "bronze/auction_vcg", "bronze/e2e_trace", "silver/bids"):
        gone = before[table] - _rows(world.lake, table)
        assert gone == result.rows(table) > 0, table
    assert _rows(world.lake, "silver/contexts") == CONVS - 1
    assert _rows(world.lake, "silver/tve_samples") == CONVS - 1, "found by the context it alone had"
    gold = root / "gold" / "predictor_dataset"
    assert not (gold / "all_01" / "bids.parquet").exists(), "the set that had it is gone"
    assert (gold / "all_01" / "dataset.json").exists() and (gold / "some_01/bids.parquet").exists()
    settled = settle(world.logs)
    assert settled.ok and not settled.faults.counts and settled.receipts == CONVS - 1
    logs = texts(world.logs)
    assert f'"{world.conv}"'.encode() not in logs and f"/{world.conv} ".encode() not in logs
    assert world.other.encode() in logs and f"{world.conv}0".encode() in logs, "nobody else's"


def test_the_audit_proves_it_and_names_nobody(world: World) -> None:
    result = erase(world.settings, conv_id=world.conv)
    rows = audit.of_request(world.lake, result.number)
    assert {row["found"] for row in rows} == {0}
    bids = next(row for row in rows if row["place"] == "bronze/auction_bids")
    assert bids["removed"] > 0 and bids["after"] > bids["before"] and bids["scanned"] > 0
    assert len(bids["digest"]) == 64 and bids["request"] == result.number
    told = [orjson.loads(x) for x in (world.logs / audit.STREAM).read_bytes().splitlines()]
    assert told[-1]["event"] == "done" and {x["request"] for x in told} == {result.number}
    ops = Path(world.lake.root) / "ops"
    assert files_with(ops, world.conv) == [], "also the ledger of requests has forgotten the id"
    states = [row["state"] for row in requests.history(world.lake)]
    assert states == [requests.DONE]


def test_erasing_again_removes_nothing_more(world: World) -> None:
    first = erase(world.settings, conv_id=world.conv)
    again = erase(world.settings, conv_id=world.conv)
    assert again.done and again.number == first.number and again.rows() == 0
    assert Tombstones.load(world.lake).covers(Kind.CONV, world.conv)


def test_what_kafka_still_has_does_not_come_back(world: World) -> None:
    rows = world.lake.scan("bronze/auction_bids").collect()
    erase(world.settings, conv_id=world.conv)
    kept = Tombstones.load(world.lake).filter("bronze/auction_bids", rows)
    assert len(kept) == _rows(world.lake, "bronze/auction_bids") < len(rows)
    assert world.conv not in kept["conv_id"]


@pytest.mark.spec("CBP-S-04")
def test_an_advertiser_goes_and_the_others_bills_can_still_be_proven(world: World) -> None:
    bids = world.lake.scan("bronze/auction_bids").collect()
    trace = world.lake.scan("bronze/e2e_trace").collect()
    result = erase(world.settings, adv_id=world.adv)
    assert result.done
    for table in tables(world.lake):
        frame = world.lake.scan(table).collect()
        wanted = anything(Keys(Subject(Kind.ADV, world.adv)), frame.schema)
        assert wanted is None or frame.filter(wanted).is_empty(), table
    after = world.lake.scan("bronze/auction_bids").collect().sort("event_id")
    assert after.drop("advertisers").equals(bids.sort("event_id").drop("advertisers"))
    blanked = after["advertisers"].list.contains(BLANK)
    assert blanked.equals(bids.sort("event_id")["advertisers"].list.contains(world.adv))
    charged = trace["lines"].explode().struct.field("charge_micros").sum()
    left = world.lake.scan("bronze/e2e_trace").collect()["lines"].explode().struct
    assert left.field("charge_micros").sum() == charged and BLANK in left.field("advertiser")
    clicks = world.lake.scan("bronze/click_logs").collect()
    assert len(clicks) > 0 and world.adv not in clicks["advertiser"]
    assert files_with(Path(world.lake.root), world.adv) == []
    settled = settle(world.logs)
    assert settled.ok and not settled.faults.counts and world.adv not in settled.accounts


def test_billing_may_be_kept(world: World) -> None:
    before = {table: _rows(world.lake, table) for table in BILLING}
    result = erase(world.settings, conv_id=world.conv, keep_billing=True)
    assert result.done and {table: _rows(world.lake, table) for table in BILLING} == before
    kept = {step.place for step in result.steps if step.kept}
    assert kept == {*BILLING, "ledger"}
    assert _rows(world.lake, "silver/contexts") == CONVS - 1
    assert settle(world.logs).receipts == CONVS
    stones = Tombstones.load(world.lake)
    rows = world.lake.scan(BILLING[0]).collect()
    assert len(stones.filter(BILLING[0], rows)) == len(rows)
    assert len(stones.filter("bronze/mpc_decisions", rows)) < len(rows)


@pytest.mark.spec("TVE-S-03")
def test_a_context_goes_and_the_rebuilt_set_has_none_of_it(world: World) -> None:
    result = erase(world.settings, ctx_id="2")
    assert result.done and result.rows("silver/tve_samples") == 1
    samples = world.lake.scan("silver/tve_samples").collect()
    assert 2 not in samples["ctx_id"] and len(samples) == CONVS - 1


@pytest.mark.spec("TVE-S-03")
def test_a_context_is_gone_from_what_it_would_be_made_again_from(world: World) -> None:
    """Samples are made of the feedback of its replies: that goes too, the charges stay."""
    lake, trace = world.lake, world.lake.scan("bronze/e2e_trace").collect()
    replies = trace.select("conv_id", "request_id")
    keys = pl.Series("ctx_key", [f"k{n}" for n in range(len(replies))])
    lake.append("silver/contexts_by_key", replies.with_columns(keys))
    lake.append("bronze/tve_feedback", replies.with_columns(ctx_vec=pl.lit([0.1])))
    result = erase(world.settings, ctx_id="k1")
    assert result.done and result.rows("bronze/tve_feedback") == 1
    gone = replies.row(1)
    assert gone not in lake.scan("bronze/tve_feedback").select(replies.columns).collect().rows()
    assert lake.scan("bronze/e2e_trace").collect().equals(trace)


@pytest.mark.spec("ORC-I-04", "CG-S-02")
def test_a_set_that_names_nobody_goes_when_it_was_made_of_the_days(world: World) -> None:
    days = world.lake.scan("bronze/e2e_trace").collect().sort("ts")["dt"].to_list()
    gold = Path(world.lake.root) / "gold" / "tve_dataset"
    for version, window in (("on", days), ("later", ["2030-01-01", "2030-01-02"])):
        (gold / version / "held").mkdir(parents=True)
        card = {"lake": {"bronze/e2e_trace": 0}, "days": [window[0], window[-1]]}
        (gold / version / "dataset.json").write_text(json.dumps(card))
        for part in ("", "held"):
            frame = pl.DataFrame({"ctx_id": [99], "ctx_vec": [[0.1]]})
            frame.write_parquet(gold / version / part / "contexts.parquet")
    dry = {step.place for step in dry_run(world.settings, Subject(Kind.CONV, world.conv), False)}
    erase(world.settings, conv_id=world.conv)
    assert "gold/tve_dataset/on" in dry and "gold/tve_dataset/later" not in dry
    assert not list((gold / "on").rglob("*.parquet")) and (gold / "on/dataset.json").exists()
    assert len(list((gold / "later").rglob("*.parquet"))) == 2
    series = bids_from_events(world.logs)
    names = {name.partition(":")[0] for name in series["conv_id"]}
    assert len(names) == CONVS - 1 and world.conv not in names, "the next set has none of it"


@pytest.mark.spec("TVE-S-03")
def test_models_that_learned_from_it_are_marked(world: World) -> None:
    learned = Path(world.settings.serving.models_folder) / "tve" / "tve_2026_01_01_01"
    clean = learned.with_name("tve_2026_01_02_01")
    for folder, dataset in ((learned, "all_01"), (clean, "some_01")):
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(
            json.dumps({"details": {"dataset": f"/x/gold/predictor_dataset/{dataset}"}})
        )
    erase(world.settings, conv_id=world.conv)
    rows = world.lake.scan(INVALIDATIONS).collect()
    assert rows["version"].to_list() == ["tve_2026_01_01_01"] and len(rows["sha256"][0]) == 64
    assert retrain_due(world.lake, "tve", "tve_2026_01_01_01")
    assert not retrain_due(world.lake, "tve", "tve_2026_01_02_01")
    erase(world.settings, conv_id=world.conv)
    assert _rows(world.lake, INVALIDATIONS) == 1


@pytest.mark.spec("MRO-S-03")
def test_a_creative_goes_and_is_never_chosen_again(world: World) -> None:
    lines = [_selected(msg) for msg in ("888", "888", "889")]
    world.lake.append("bronze/mro_select", pl.DataFrame(lines))
    ads = pl.DataFrame({"ad_id": [1, 2], "msg_id": ["888", "889"], "text": ["a", "b"]})
    world.lake.append("silver/ads", ads)
    vectors = pl.DataFrame({"ad_id": [1, 2], "ad_vec": [[0.1], [0.2]]})
    world.lake.append("silver/ad_vectors", vectors)
    result = erase(world.settings, msg_id="888")
    assert result.done
    for table, column in (("bronze/mro_select", "msg_id"), ("silver/ads", "msg_id")):
        assert world.lake.scan(table).collect()[column].to_list() == ["889"]
    assert world.lake.scan("silver/ad_vectors").collect()["ad_id"].to_list() == [2]
    from pipelines_dagster.defs.gdpr.creatives import erased_creatives  # noqa: PLC0415

    assert erased_creatives(world.settings.serving).read() == {"888"}


def test_dead_letters_hold_events_as_bytes(world: World) -> None:
    from pipelines_dagster.defs.gdpr.predicate import words  # noqa: PLC0415

    mine, other = Subject(Kind.CONV, world.conv), Subject(Kind.CONV, f"{world.conv}0")
    letters = [b"\x00" + words(mine)[0], words(mine)[1], words(other)[0], words(other)[1], b"x"]
    world.lake.append("ops/dead_letters", pl.DataFrame({"value": letters, "topic": ["t"] * 5}))
    result = erase(world.settings, conv_id=world.conv)
    assert result.done and result.rows("ops/dead_letters") == 2
    assert _rows(world.lake, "ops/dead_letters") == 3


def test_a_dry_run_tells_and_changes_nothing(world: World) -> None:
    versions = {table: world.lake.open(table).version() for table in tables(world.lake)}  # type: ignore[union-attr]
    steps = {
        step.place: step for step in dry_run(world.settings, Subject(Kind.CONV, world.conv), False)
    }
    assert steps["bronze/auction_bids"].removed > 0
    assert steps["gold/predictor_dataset/all_01"].removed == 1
    assert versions == {t: world.lake.open(t).version() for t in tables(world.lake)}  # type: ignore[union-attr]
    kept = dry_run(world.settings, Subject(Kind.ADV, world.adv), True)
    assert {step.place for step in kept if step.kept} == {"bronze/auction_bids", "bronze/e2e_trace"}


STEPS = (
    "erase_ledger",
    "erase_logs",
    "erase_table",
    "gold_sets",
    "audit.record",
    "requests.finish",
)


@pytest.mark.parametrize("where", STEPS)
def test_what_a_crash_interrupted_is_finished(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with monkeypatch.context() as patch:

        def crash(*arguments: object, **options: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(f"{module.__name__}.{where}", crash)
        with pytest.raises(KeyboardInterrupt):
            erase(world.settings, conv_id=world.conv)
    assert len(requests.unfinished(world.lake)) == 1
    (result,) = resume(world.settings)
    assert result.done and requests.unfinished(world.lake) == []
    assert files_with(Path(world.lake.root), world.conv) == []
    assert _rows(world.lake, "silver/tve_samples") == CONVS - 1, "links outlive what they came from"
    assert resume(world.settings) == []


def test_a_file_that_a_crash_left_is_found_and_removed(world: World) -> None:
    folder = Path(world.lake.root) / "bronze" / "auction_bids" / "dt=2026-01-01"
    folder.mkdir(exist_ok=True)
    pl.DataFrame({"conv_id": [world.conv]}).write_parquet(folder / "part-9.zstd.parquet")
    (folder / "part-8.zstd.parquet").write_bytes(b"PAR1 torn")
    young = erase(world.settings, conv_id=world.conv)
    assert not young.done, "a writer may be about to commit it: the request stays open"
    old = time.time() - 7_200
    import os  # noqa: PLC0415

    os.utime(folder / "part-9.zstd.parquet", (old, old))
    (result,) = resume(world.settings)
    assert result.done and not (folder / "part-9.zstd.parquet").exists()


def test_an_empty_lake_has_nothing_and_the_tombstone_counts(tmp_path: Path) -> None:
    from bls.settings import Settings  # noqa: PLC0415
    from pipelines_dagster.settings import PipelineSettings  # noqa: PLC0415

    settings = PipelineSettings(Settings(state=tmp_path))
    assert erase(settings, conv_id="c1").done
    assert Tombstones.load(settings.open_lake()).covers(Kind.CONV, "c1")


def _rows(lake: Lake, table: str) -> int:
    return int(lake.scan(table).select(pl.len()).collect().item())


def _selected(msg_id: str) -> dict[str, object]:
    return {"conv_id": "c", "request_id": "r", "msg_id": msg_id, "advertiser": "a", "ctx_id": "x"}
