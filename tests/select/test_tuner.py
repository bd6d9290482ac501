# SPDX-License-Identifier: Apache-2.0
"""The lambda-bandit: clicks move the weight, money is scaled, and its value is a server's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.keys.folder import FolderStore
from bls.select.lambdas import BUCKETS, KEY, LiveLambda, read_lambda
from bls.select.tuner import RunningCap, ThompsonTuner
from tests.keys.operators import PERIOD_S, Remembered, unsigned
from tests.select.world import Ads, Exact, World, campaign, unit

CLICKS = 10_000
BEST = 0.3


@pytest.mark.spec("MRO-I-04")
def test_clicks_for_0_3_move_the_weight_there(tmp_path: Path) -> None:
    """The whole loop: the selector draws a bucket, a reader clicks (more often for 0.3), the tuner
    learns, its value goes live and changes what is drawn. Until 10,000 have clicked."""
    generator = np.random.default_rng(7)
    ctx = unit(generator, 1)[0]
    names = ["a", "b", "c"]
    ads = Ads(*(campaign(name, cpc_micros=cpc) for name, cpc in zip(names, (1, 2, 3), strict=True)))
    world = World(ads, Exact(unit(generator, 3), names))
    store, tuner = FolderStore(tmp_path, PERIOD_S), ThompsonTuner(seed=1)
    weights = LiveLambda(store, Remembered())
    world.selector._weights = lambda: weights.live
    store.put(unsigned(1, tuner.value(), KEY))
    weights.look()
    before, asked, clicked = tuner.weights(), 0, 0
    while clicked < CLICKS:
        bucket = weights.current.play(f"ctx-{asked}")
        click = bool(generator.random() < (0.6 if bucket == BEST else 0.3))
        tuner.update(bucket, int(generator.lognormal(12, 0.5)), click)
        asked, clicked = asked + 1, clicked + click
        if asked % 500 == 0:
            store.put(unsigned(1 + asked // 500, tuner.value(), KEY))
            weights.look()
            assert world.ask(ctx, f"live-{asked}").lambda_version == weights.version
    value = tuner.value()
    place = BUCKETS.index(BEST)
    assert tuner.weights()[place] > 0.9 and before[place] < 0.2
    assert value["lambda_sem"] == BEST and value["lambda_val"] == 0.7
    played = [weights.current.play(f"after-{number}") for number in range(500)]
    assert played.count(BEST) > 450
    weights.close()
    store.close()


def test_rewards_are_money_in_units_of_a_running_cap() -> None:
    cap = RunningCap()
    assert [cap.share(money) for money in (0, 10, 5)] == [0.0, 1.0, pytest.approx(0.5, abs=0.01)]
    for _ in range(200):
        assert cap.share(1_000_000) <= 1.0
    assert cap.value == 1_000_000 and cap.share(500_000) == 0.5
    for _ in range(1_000):
        cap.share(10)
    assert cap.share(10) == 1.0, "what was dear long ago no longer counts"


def test_a_reply_adds_one_to_its_bucket() -> None:
    tuner = ThompsonTuner()
    tuner.update(0.3, 100, True)
    tuner.update(0.3, 100, False)
    tuner.update(0.9, 0, True)
    found = tuner.value()["posteriors"]
    assert found["0.3"] == [2.0, 2.0] and found["0.9"] == [1.0, 2.0] and found["0.5"] == [1.0, 1.0]
    read_lambda(tuner.value())


@pytest.mark.parametrize(
    ("bucket", "reward", "code"), [(1.0, 1, "bad_bucket"), (0.3, -1, "bad_reward")]
)
def test_what_it_does_not_take(bucket: float, reward: int, code: str) -> None:
    with pytest.raises(SkynetError) as raised:
        ThompsonTuner().update(bucket, reward, True)
    assert raised.value.code == code
