# SPDX-License-Identifier: Apache-2.0
"""`/mro/conf/selector`: how the selector searches and explores, checked whole, live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from bls.request import Strict, from_validation

KEY = "/mro/conf/selector"


class SelectorConf(Strict):
    """Source: max_reward_optimizer 2.2.5; how floor and over-fetch were chosen: docs/select.md.

    Attributes:
        epsilon: share of replies that try a creative at random.
        sim_min: creatives less similar than this are not shown, whatever they pay.
        overfetch: candidates asked of the index for every creative wanted, at first.
        fetch_max: candidates asked for at most, when gates and floor take most of them out.
    """

    epsilon: Annotated[float, Field(ge=0, le=1)] = 0.05
    sim_min: Annotated[float, Field(ge=-1, le=1)] = 0.45
    overfetch: Annotated[int, Field(ge=1, le=1_000)] = 16
    fetch_max: Annotated[int, Field(ge=1, le=10_000)] = 2_048


def read_conf(value: Mapping[str, Any]) -> SelectorConf:
    """The settings in `value`; fields left out have their defaults. Raises `SkynetError`."""
    try:
        return SelectorConf.model_validate(dict(value))
    except ValidationError as error:
        raise from_validation(error) from None
