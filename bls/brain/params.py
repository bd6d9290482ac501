# SPDX-License-Identifier: Apache-2.0
"""`/mpc/params`: the controller's parameters, checked whole before any of them counts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from bls.contracts import HORIZON
from bls.limits import LIMITS
from bls.phantom.bridge import DIALS, Dials
from bls.request import Strict, from_validation

KEY = "/mpc/params"


class MpcParams(Strict):
    """Source: mpc 0, 2.2, corrections (receding-horizon controller).

    The seed starts at H = 3 and M = 2. On the simulator that gives most ads up at the foot of their
    value curve, where a token is worth little yet (docs/ab.md).

    Attributes:
        horizon: H, tokens of look-ahead.
        lambda_risk: salvage against risk: future value must exceed this share of the loss.
        momentum: M, consecutive tokens of negative utility or too wide a forecast that end a
            trajectory.
        sigma_max: sigma_eff above it counts as too wide.
        w_max: no weight above it.
        cost_model: `bid` expects to pay the bid, `vcg` the expected Clarke charge.
        reference_share, rival_share: a token is won by outbidding reference_share w_ref +
            rival_share W_-i. The seed's formula has 0 and 1; in live replies the critical bid was
            under a quarter of w_ref + W_-i for three won tokens of four (docs/deviations.md).
        cautious_bid: the fixed weight when there is no forecast and none was held.
        agent_free, agent_strength, agent_loss, invalid_at: what f(tau) of the chat's shop session
            does, see `bls.phantom.bridge.Dials`.
    """

    horizon: Annotated[int, Field(ge=1, le=HORIZON)] = 8
    lambda_risk: Annotated[float, Field(gt=0, le=10)] = 0.5
    momentum: Annotated[int, Field(ge=1, le=64)] = 16
    sigma_max: Annotated[float, Field(gt=0, le=10)] = 1.0
    w_max: Annotated[float, Field(ge=0, le=LIMITS.bid_max)] = 3.0
    cost_model: Literal["bid", "vcg"] = "bid"
    reference_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    rival_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    cautious_bid: Annotated[float, Field(ge=0, le=LIMITS.bid_max)] = 0.25
    agent_free: Annotated[float, Field(ge=0, lt=1)] = DIALS.free
    agent_strength: Annotated[float, Field(ge=0, le=1)] = DIALS.strength
    agent_loss: Annotated[float, Field(ge=0, le=1)] = DIALS.loss
    invalid_at: Annotated[float, Field(ge=0.5, le=2)] = DIALS.invalid_at

    @cached_property
    def dials(self) -> Dials:
        """What the auction does with f(tau)."""
        return Dials(self.agent_free, self.agent_strength, self.agent_loss, self.invalid_at)


def read_params(value: Mapping[str, Any]) -> MpcParams:
    """The parameters in `value`; fields left out have their defaults. Raises `SkynetError`."""
    try:
        return MpcParams.model_validate(dict(value))
    except ValidationError as error:
        raise from_validation(error) from None
