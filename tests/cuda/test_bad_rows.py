# SPDX-License-Identifier: Apache-2.0
"""A broken row is dropped and leaves no trace; a broken reply is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.contract import Draw
from kernels_cuda.cuda.device import Answer, Batch, Reply
from tests.cuda.conftest import Open

OK, BAD_VOCAB, BAD_TYPE = 0, 2, 3
BAD_TEMPERATURE, BAD_REFERENCE, NO_WEIGHT, NULL, BAD_MODE = 4, 5, 6, 9, 10
FIELDS = ("p_token", "pay", "critical_bid", "log_z", "w_minus")


def break_logits(z: np.ndarray, kind: str) -> None:
    if kind == "nan":
        z[2, -1] = np.nan
    elif kind == "inf":
        z[2, 0] = np.inf
    elif kind == "empty":
        z[2] = -np.inf


@pytest.mark.parametrize(
    "kind, status",
    [
        ("nan", oracle.NOT_FINITE),
        ("inf", oracle.NOT_FINITE),
        ("empty", oracle.EMPTY),
        ("weight", oracle.BAD_WEIGHT),
    ],
)
@pytest.mark.parametrize("draw", [None, Draw(1, 2, 3)], ids=["argmax", "sample"])
def test_a_dropped_row_leaves_no_trace(  # noqa: PLR0917
    open_device: Open,
    rng: np.random.Generator,
    kernel: int,
    kind: str,
    status: int,
    draw: Draw | None,
) -> None:
    """The rest is what it would be without that row."""
    device = open_device(rows=4, vocab=5000, kernel=kernel)
    z = (rng.normal(size=(4, 5000)) * 3).astype(np.float32)
    w = np.array([1.0, 0.7, 1.3, 0.9], np.float32)
    break_logits(z, kind)
    if kind == "weight":
        w[2] = np.nan
    got = device.run([Reply(z, w, 0.7, draw)])[0]
    keep = [0, 1, 3]
    want = device.run([Reply(np.ascontiguousarray(z[keep]), w[keep], 0.7, draw)])[0]
    assert list(got.row_status) == [OK, OK, status, OK]
    assert_same(got, want, keep)
    assert [getattr(got, name)[2] for name in FIELDS[:4]] == [0, 0, 0, 0]


def assert_same(got: Answer, want: Answer, keep: list[int]) -> None:
    for name in ("token", "ref_token", "near_tie"):
        assert getattr(got, name) == getattr(want, name)
    for name in ("margin", "blend_token"):
        assert getattr(got, name) == pytest.approx(getattr(want, name), rel=1e-12)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(got, name)[keep], getattr(want, name), rtol=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_row_with_a_bad_weight_is_not_read(open_device: Open, kernel: int, value: float) -> None:
    device = open_device(rows=2, vocab=100, kernel=kernel)
    z = np.zeros((2, 100), np.float32)
    z[0, 3], z[1] = 4.0, np.nan
    got = device.run([Reply(z, np.array([1.0, value]), 1.0)])[0]
    assert list(got.row_status) == [OK, oracle.BAD_WEIGHT] and got.token == 3


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_broken_reference_row_refuses_the_reply(
    open_device: Open, kernel: int, broken: float
) -> None:
    device = open_device(rows=2, vocab=100, kernel=kernel)
    z = np.zeros((2, 100), np.float32)
    z[0] = broken
    got = device.run([Reply(z, np.ones(2), 1.0)])[0]
    assert got.status == BAD_REFERENCE
    assert got.row_status[0] == (oracle.EMPTY if broken == -np.inf else oracle.NOT_FINITE)


def test_weights_of_zero_refuse_the_reply(open_device: Open, kernel: int) -> None:
    device = open_device(rows=2, vocab=100, kernel=kernel)
    got = device.run([Reply(np.zeros((2, 100), np.float32), np.zeros(2), 1.0)])[0]
    assert got.status == NO_WEIGHT


def test_an_advertiser_without_weight_pays_nothing(open_device: Open, kernel: int) -> None:
    device = open_device(rows=2, vocab=100, kernel=kernel)
    z = np.zeros((2, 100), np.float32)
    z[0, 3] = z[1, 8] = 5.0
    got = device.run([Reply(z, np.array([1.0, 0.0]), 1.0)])[0]
    assert got.token == 3 and got.pay[1] == 0 and 0 < got.p_token[1] < 1


def test_one_bad_reply_leaves_the_others_be(open_device: Open, kernel: int) -> None:
    device = open_device(replies=6, rows=2, vocab=100, kernel=kernel)
    z = np.zeros((2, 100), np.float32)
    z[:, 7] = 3.0
    w = np.ones(2)
    batch = Batch(
        [
            Reply(z, w, 1.0),
            Reply(z, w, float("nan")),
            Reply(z, w, -1.0),
            Reply(z, w, 1.0),
            Reply(np.zeros((2, 101), np.float32), w, 1.0),
            Reply(z, w, 1.0),
        ]
    )
    batch.raw[3].input.mode = 2
    assert (device.submit(batch), device.wait()) == (0, 0)
    outcomes = [batch.outcome(i) for i in range(6)]
    want = [OK, BAD_TEMPERATURE, BAD_TEMPERATURE, BAD_MODE, BAD_VOCAB, OK]
    assert [one.status for one in outcomes] == want
    assert outcomes[0].token == outcomes[5].token == 7


def test_a_batch_of_bad_replies_is_no_batch(open_device: Open, kernel: int) -> None:
    device = open_device(rows=1, vocab=10, kernel=kernel)
    got = device.run([Reply(0, np.ones(1), 1.0, vocab=10, stride=10, dtype=np.dtype("f4"))])[0]
    assert got.status == NULL
