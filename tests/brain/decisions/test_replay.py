# SPDX-License-Identifier: Apache-2.0
"""What is logged can be decided again, bit for bit; what was changed is found."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.brain.curve import value_curve
from bls.brain.decisions.lines import parse
from bls.brain.decisions.rebuild import ahead, kernel_inputs
from bls.brain.decisions.record import KINDS, OPTIONAL, STREAM, DecisionLog
from bls.brain.decisions.replay import CSV, Replay, replay_decisions
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from kernels_cuda import mpc_abi
from kernels_cuda.mpc import Path as Simd
from tests.brain.decisions.deciding import decide

Json = dict[str, Any]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4,000 decisions in the stream's file."""
    folder = tmp_path_factory.mktemp("logs")
    log = JsonLog(folder, 4_096)
    write, records = DecisionLog(log), decide(4_000)
    for start in range(0, len(records), 3):
        write(records[start : start + 3])
    write([])
    log.close()
    assert log.dropped == 0
    return folder / STREAM


def replay(path: Path, out: Path) -> tuple[Replay, list[dict[str, str]]]:
    result = replay_decisions(path, out / CSV)
    with (out / CSV).open(newline="") as file:
        return result, list(csv.DictReader(file))


def changed(logged: Path, folder: Path, change: Callable[[Json], object], line: int = 7) -> Path:
    """A copy of the stream with one line changed."""
    lines = logged.read_bytes().splitlines()[:1_000]
    record = json.loads(lines[line - 1])
    change(record)
    lines[line - 1] = json.dumps(record).encode()
    (folder / STREAM).write_bytes(b"\n".join(lines) + b"\n")
    return folder


@pytest.mark.spec("MPC-S-03")
def test_every_decision_is_decided_again_bit_for_bit(logged: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    result = replay_decisions(logged.parent, tmp_path / CSV, shares.append)
    assert (result.records, result.differ, result.malformed, result.foreign) == (4_000, 0, 0, 0)
    assert result.ok and result.logged == result.replayed != ""
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert (tmp_path / CSV).read_text().count("\n") == 1
    bids = [json.loads(line) for line in logged.read_text().splitlines()]
    assert {line["method"] for line in bids} >= {0, 1, 3} and {line["abandon"] for line in bids}
    assert len({line["w_star"] for line in bids}) > 1_000  # and they are not all the same


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("w_star", 1.25),
        ("weight", 0.5),
        ("util", 1e9),
        ("plan_id", 11),
        ("abandon", None),
        ("mu1", 0.123),
        ("budget_left", 0.001),
        ("v_max", 9.5),
    ],
)
def test_a_changed_number_is_found(
    logged: Path, tmp_path: Path, name: str, value: float | None
) -> None:
    lines = [json.loads(line) for line in logged.read_text().splitlines()[:1_000]]
    at = 1 + next(
        number
        for number, line in enumerate(lines)
        if line["method"] in (1, 2)
        and line["pace"] > 0
        and line["left"] > 1
        and line["alpha"] > 0.1
        and not line["abandon"]
        and line["neg_cnt"] == 0
    )

    def change(record: Json) -> None:
        record[name] = (not record[name]) if value is None else value

    result, rows = replay(changed(logged, tmp_path, change, at), tmp_path)
    assert result.differ == 1 and result.records == 1_000 and result.ok  # one in a thousand
    assert rows[0]["where"] == f"{STREAM}:{at}" and rows[0]["conv_id"] == lines[at - 1]["conv_id"]


def test_lines_of_a_build_that_named_no_models_are_records(logged: Path) -> None:
    line = json.loads(logged.read_text().splitlines()[0])
    for name in OPTIONAL:
        del line[name]
    record = parse(json.dumps(line).encode())
    assert record is not None and (record["predictor"], record["tve"]) == ("", "")
    assert record["discount"] == record["loss_discount"] == 1.0
    del line["path"]
    assert parse(json.dumps(line).encode()) is None


@pytest.mark.spec("MPC-S-03")
def test_too_many_differences_fail(logged: Path, tmp_path: Path) -> None:
    changed(logged, tmp_path, lambda record: record.update(weight=99.0))
    changed(tmp_path / STREAM, tmp_path, lambda record: record.update(weight=99.0), 9)
    result, rows = replay(tmp_path, tmp_path)
    assert result.differ == 2 and not result.ok and result.logged == result.replayed
    assert [row["what"] for row in rows] == ["weight", "weight"]


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("mu1"),
        lambda record: record.update(extra=1),
        lambda record: record.update(v=2),
        lambda record: record.update(horizon="3"),
        lambda record: record.update(horizon=True),
        lambda record: record.update(abandon=1),
        lambda record: record.update(won=-1),
        lambda record: record.update(left=49),
        lambda record: record.update(count=0),
        lambda record: record.update(a=99.0),
        lambda record: record.update(k_0=None),
    ],
)
def test_a_line_that_is_no_record_is_reported(
    logged: Path, tmp_path: Path, change: Callable[[Json], object]
) -> None:
    result, _ = replay(changed(logged, tmp_path, change), tmp_path)
    assert (result.records, result.malformed, result.differ) == (999, 1, 0)
    assert result.first_malformed == [f"{STREAM}:7"]


@pytest.mark.parametrize("junk", [b"{", b"[]", b"\xff", b"null", b""])
def test_torn_lines_are_reported(logged: Path, tmp_path: Path, junk: bytes) -> None:
    lines = logged.read_bytes().splitlines()[:30]
    (tmp_path / STREAM).write_bytes(b"\n".join([*lines[:10], junk, *lines[10:]]))
    result, _ = replay(tmp_path, tmp_path)
    assert (result.records, result.malformed) == (30, 1) and not result.ok


def test_a_refused_row_is_refused_again(tmp_path: Path) -> None:
    record = decide(1)[0]
    record.controlled, record.mu1, record.method, record.plan_id = 1, float("nan"), -1, -1
    record.w_star = record.weight = record.util = record.pace = record.sigma_eff = 0.0
    record.abandon, record.neg_cnt = False, 0
    log = JsonLog(tmp_path, 10)
    DecisionLog(log)([record])
    log.close()
    assert b'"mu1":null' in (tmp_path / STREAM).read_bytes()
    result, rows = replay(tmp_path, tmp_path)
    assert result.differ == 0, rows


def test_sealed_files_are_read_oldest_first(logged: Path, tmp_path: Path) -> None:
    lines = logged.read_bytes().splitlines(keepends=True)
    (tmp_path / f"{STREAM}.000009").write_bytes(b"".join(lines[:10]))
    (tmp_path / f"{STREAM}.000010").write_bytes(b"".join(lines[10:20]))
    (tmp_path / STREAM).write_bytes(b"".join([b"x\n", *lines[20:30]]))
    result, _ = replay(tmp_path, tmp_path)
    whole, _ = replay(logged, tmp_path)
    assert result.records == 30 and result.first_malformed == [f"{STREAM}:1"]
    assert whole.records == 4_000


@pytest.mark.parametrize("path", [Simd.SCALAR, Simd.AVX2])
def test_each_instruction_set_decides_its_own(tmp_path: Path, path: Simd) -> None:
    try:
        records = decide(500, 1, path)
    except ValueError:
        pytest.skip("this processor lacks it")
    log = JsonLog(tmp_path, 10)
    DecisionLog(log)(records)
    log.close()
    assert replay(tmp_path, tmp_path)[0].differ == 0


def test_another_processor_is_allowed_its_last_bits(logged: Path, tmp_path: Path) -> None:
    def elsewhere(record: Json) -> None:
        record.update(path=99, w_star=record["w_star"] * (1 + 1e-9), method=2)

    result, _ = replay(changed(logged, tmp_path, elsewhere), tmp_path)
    assert (result.differ, result.foreign) == (0, 1) and result.logged != result.replayed


def test_no_records_no_kernel(
    logged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SkynetError, match=r"no mpc\.decisions"):
        replay(tmp_path, tmp_path)
    monkeypatch.setattr("kernels_cuda.mpc.load", lambda library: mpc_abi.load(tmp_path / "none.so"))
    with pytest.raises(SkynetError) as caught:
        replay(logged, tmp_path)
    assert caught.value.code == "backend_missing"


def test_the_record_names_its_types() -> None:
    assert set(KINDS.values()) == {int, float, bool, str} and KINDS["abandon"] is bool


def test_ahead_is_float64_and_zero_past_the_end() -> None:
    values, _ = value_curve(3.0, 0.5, 4.0, 20)
    cut = ahead(values, 5, 3, 0.1)
    assert cut.dtype == np.float64 and cut.shape == (48,) and not cut[3:].any()
    assert cut[0] == float(values[5]) * 0.1


def test_inputs_are_those_of_one_line_at_a_time() -> None:
    lines = [vars(record) for record in decide(50, 2)]
    whole = kernel_inputs(lines)
    for number, line in enumerate(lines):
        for one, all_ in zip(kernel_inputs([line]), whole, strict=True):
            assert (one[0] == all_[number]).all()
