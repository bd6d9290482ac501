# SPDX-License-Identifier: Apache-2.0
"""`skynet gdpr`, with the server's ledger open as well; and a lake in a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from bls.errors import SkynetError
from bls.settlement.ledger import Ledger
from bls.settlement.recompute import settle
from client.commands import extra
from client.commands.gdpr import gdpr
from pipelines_dagster.defs.gdpr.requests import begin
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.defs.gdpr.sweep import sweep
from pipelines_dagster.defs.gdpr.tombstones import Tombstones, put
from pipelines_dagster.lake.files import S3Files, open_files
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.removal import clean_log, delete_rows, forget_files, prove, tables_of
from tests.pipelines.gdpr.world import CONVS, World, copied, make


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make(tmp_path_factory.mktemp("template"))


@pytest.fixture
def world(template: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path / "state"))
    return copied(template, tmp_path / "state")


def refuse(fault: Exception) -> None:
    raise AssertionError(fault)


def test_while_the_server_runs(world: World) -> None:
    ledger = Ledger(world.logs, refuse)
    try:
        run = CliRunner().invoke
        dry = run(gdpr, ["delete", "--conv-id", world.conv, "--dry-run"])
        assert dry.exit_code == 0 and "nothing was changed" in dry.output
        done = run(gdpr, ["delete", "--conv-id", world.conv])
        assert done.exit_code == 0 and " erased" in done.output, done.output
        status = run(gdpr, ["status"])
        number = next(word for word in status.output.split() if word.startswith("gdpr_"))
        assert "done" in status.output
        assert world.conv not in status.output
        shown = run(gdpr, ["status", number, "--json"])
        assert {place["found"] for place in json.loads(shown.output)["places"]} == {0}
        assert json.loads(run(gdpr, ["status", "--json"]).output)[0]["state"] == "done"
    finally:
        ledger.close()
    assert settle(world.logs).ok and settle(world.logs).receipts == CONVS - 1


def test_wrong_usage_and_nothing_to_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    for arguments, code in (
        (["delete"], "one_subject"),
        (["delete", "--msg-id", "'"], "bad_subject"),
    ):
        failed = CliRunner().invoke(gdpr, arguments)
        assert isinstance(failed.exception, SkynetError) and failed.exception.code == code
    assert CliRunner().invoke(gdpr, ["status"]).output == "none\n"
    dry = CliRunner().invoke(gdpr, ["delete", "--msg-id", "1", "--dry-run", "--json"])
    assert json.loads(dry.output)["places"] == []


def test_without_the_extra_the_command_says_so() -> None:
    with pytest.raises(SkynetError) as caught, extra.pipelines_extra():
        raise ModuleNotFoundError("no", name="polars.io")
    assert caught.value.code == "no_pipelines"
    with pytest.raises(ModuleNotFoundError), extra.pipelines_extra():
        raise ModuleNotFoundError("no", name="ours")


def test_the_nightly_sweep_finishes_what_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(world.lake, Subject(Kind.CONV, world.conv), False, {}, {})
    begin(world.lake, Subject(Kind.CTX, "2"), False, {}, {})

    def busy(*arguments: object) -> None:
        raise SkynetError("ledger_busy", "busy", 503)

    with monkeypatch.context() as patch:
        patch.setattr("pipelines_dagster.defs.gdpr.erase.erase_ledger", busy)
        swept = sweep(world.settings)
        assert (swept.finished, swept.left_open) == (0, 2)
    swept = sweep(world.settings)
    assert (swept.finished, swept.left_open) == (2, 0)


def test_tombstones_take_old_rows_of_an_advertiser_only(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    rows = pl.DataFrame(
        {
            "advertiser": ["a", "a", "b"],
            "advertisers": [["a", "b"], ["a"], ["b"]],
            "lines": [[{"advertiser": "a", "n": 1}], [], [{"advertiser": "b", "n": 2}]],
            "ts": [1.0, 9e9, 1.0],
        }
    )
    assert Tombstones.load(lake).filter("bronze/x", rows) is rows, "none: nothing to do"
    put(lake, Subject(Kind.ADV, "a"), False)
    put(lake, Subject(Kind.ADV, "a"), True)
    stones = Tombstones.load(lake)
    kept = stones.filter("bronze/x", rows)
    assert kept["ts"].to_list() == [9e9, 1.0], "who comes back later is somebody new"
    shared = stones.filter("bronze/x", rows.drop("advertiser"))
    assert shared["advertisers"].to_list() == [["-erased-", "b"], ["a"], ["b"]]
    assert shared["lines"][0][0] == {"advertiser": "-erased-", "n": 1}
    assert not stones.covers(Kind.CONV, "a") and stones.covers(Kind.ADV, "a", 1.0)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_a_lake_in_a_bucket(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3  # noqa: PLC0415

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    boto3.client("s3", endpoint_url=bucket).create_bucket(Bucket="lake")
    options = {"endpoint_url": bucket, "allow_http": "true", "aws_conditional_put": "etag"}
    lake = Lake("s3://lake/a/b", options)
    rows = pl.DataFrame({"conv_id": ["conv-one", "conv-two"], "dt": ["2026-01-01", "2026-01-02"]})
    lake.append("bronze/x", rows)
    lake.append("bronze/x", rows)
    files = open_files(lake)
    assert isinstance(files, S3Files) and tables_of(lake) == ["bronze/x"]
    assert delete_rows(lake, "bronze/x", "conv_id = 'conv-one'").rows == 2
    assert forget_files(lake, "bronze/x") == 2 and clean_log(lake, "bronze/x") > 0
    proof = prove(lake, "bronze/x", lambda schema: pl.col("conv_id") == "conv-one")
    assert (proof.files, proof.rows) == (2, 0)
    assert all(b"conv-one" not in files.read(one.path) for one in files.find("bronze"))
    assert lake.scan("bronze/x").collect()["conv_id"].to_list() == ["conv-two", "conv-two"]
