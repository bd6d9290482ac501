# SPDX-License-Identifier: Apache-2.0
"""Shapes of the towers, ranges of the curve, and that padding and batching change nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bls.brain.curve import check_curve, value
from bls.contracts import AD_TOKENS, CTX
from export.tve.config import Dims, Stage, TveConfig
from export.tve.model import DualTower, value_at, values


def pairs(rows: int, length: int = AD_TOKENS) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(rows)
    ctx = torch.nn.functional.normalize(torch.randn(rows, CTX, generator=random), dim=1)
    ids = torch.randint(0, 500, (rows, length), generator=random)
    count = torch.randint(1, length + 1, (rows, 1), generator=random)
    return ctx, ids, (torch.arange(length) < count).long()


@pytest.fixture(scope="module")
def model() -> DualTower:
    torch.manual_seed(0)
    return DualTower(Dims(), 500, scale=0.9).eval()


@pytest.mark.spec("TVE-U-03")
@torch.no_grad()
def test_towers_have_the_seed_s_widths(model: DualTower) -> None:
    ctx, ids, mask = pairs(3)
    counted = mask.float()
    states, pooled = model.ad_tower(ids, counted)
    seen = model.ctx_tower(ctx)
    assert seen.shape == (3, 64)
    assert states.shape == (3, AD_TOKENS, 256) and pooled.shape == (3, 256)
    assert model.fuse(seen, *model.fuse.ad(states, pooled), counted).shape == (3, 128)
    assert (len(model.ctx_tower.layers), len(model.ad_tower.layers)) == (2, 4)
    assert model(ctx, ids, mask).shape == (3, 4)


def test_the_student_is_half_as_wide() -> None:
    half = Dims().half()
    assert (half.ctx, half.ad, half.fused) == (32, 128, 64)
    assert (half.ctx_layers, half.ad_layers) == (2, 4)


@torch.no_grad()
def test_any_input_gives_a_curve_that_is_served(model: DualTower) -> None:
    ctx, ids, mask = pairs(64)
    for strength in (0.0, 1.0, 1e4):
        curve = model(ctx * strength, ids, mask).numpy()
        check_curve(*curve.T)


@torch.no_grad()
def test_padding_does_not_matter(model: DualTower) -> None:
    ctx, ids, mask = pairs(5, 20)
    short = model(ctx, ids, mask)
    wide = torch.nn.functional.pad(ids, (0, 28), value=7), torch.nn.functional.pad(mask, (0, 28))
    torch.testing.assert_close(model(ctx, *wide), short, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_shared_ads_give_what_separate_pairs_give(model: DualTower) -> None:
    ctx, ids, mask = pairs(6)
    which = torch.tensor([0, 0, 2, 1, 2, 0])
    together = model.of_pairs(ctx, ids[:3], mask[:3], which)
    torch.testing.assert_close(together, model(ctx, ids[which], mask[which]), rtol=1e-4, atol=1e-5)


def test_torch_and_the_server_agree_on_the_curve() -> None:
    curve = torch.tensor([[2.0, 0.5, 4.0, 0.1], [0.3, 9.0, 1.0, 0.1]])
    served = torch.from_numpy(value([2.0, 0.3], [0.5, 9.0], [4.0, 1.0]))
    torch.testing.assert_close(values(curve), served)
    k = torch.tensor([7, 1])
    torch.testing.assert_close(value_at(curve, k), served[[0, 1], k - 1])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Dims(ctx_tokens=7),
        lambda: Dims(ad=254),
        lambda: Stage(0.0, 1),
        lambda: Stage(1e-3, 0),
        lambda: TveConfig(batch=100, group=16),
        lambda: TveConfig(samples=1),
    ],
)
def test_impossible_options_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError):
        wrong()  # type: ignore[operator]
