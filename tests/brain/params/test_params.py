# SPDX-License-Identifier: Apache-2.0
"""`/mpc/params`: checked whole, defaults for what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from bls.brain.params import MpcParams, read_params
from bls.errors import SkynetError


def test_fields_left_out_have_their_defaults() -> None:
    assert read_params({}) == MpcParams()
    assert read_params({"horizon": 8, "w_max": 2}) == MpcParams(horizon=8, w_max=2.0)
    assert read_params(MpcParams().model_dump()) == MpcParams()


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        ({"horizon": 0}, "horizon", "invalid_value"),
        ({"horizon": 2.0}, "horizon", "invalid_value"),
        ({"momentum": 65}, "momentum", "invalid_value"),
        ({"lambda_risk": -0.1}, "lambda_risk", "invalid_value"),
        ({"sigma_max": float("inf")}, "sigma_max", "not_finite"),
        ({"w_max": float("nan")}, "w_max", "not_finite"),
        ({"w_max": 101}, "w_max", "invalid_value"),
        ({"reference_share": 1.1}, "reference_share", "invalid_value"),
        ({"cautious_bid": "0.1"}, "cautious_bid", "invalid_value"),
        ({"H": 3}, "H", "unknown_field"),
    ],
)
def test_refused_by_name(value: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(SkynetError) as caught:
        read_params(value)
    assert (caught.value.param, caught.value.code) == (param, code)
