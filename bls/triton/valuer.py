# SPDX-License-Identifier: Apache-2.0
"""`Valuer` over BLS: one call to `tve` for all ads of the reply."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from bls.bidding import Seat
from bls.brain.trajectory import Curve
from bls.brain.valuer import Values
from bls.contracts import TVE
from bls.errors import SkynetError
from bls.models.served import served_name
from bls.triton.ask import ask, texts


class TritonValuer:
    """Blocks its caller's thread for the few milliseconds of a small model."""

    def values(self, ctx_vec: NDArray[np.float32], seats: Sequence[Seat], key: int) -> Values:
        ctx = ctx_vec.reshape(1, -1)
        ads = {row: s.ad_prompt for row, s in enumerate(seats, start=1) if s.controlled}
        try:
            return Values(ctx_vec, _curves(ctx, ads, key))
        except SkynetError:
            if len(ads) == 1:
                raise
        return Values(ctx_vec, _each(ctx, ads, key))


def _curves(ctx: NDArray[np.float32], ads: dict[int, str], key: int) -> dict[int, Curve]:
    """Curves by row, all in one call, or none."""
    out = ask(
        TVE,
        pb_utils.Tensor("CTX", np.repeat(ctx, len(ads), axis=0)),
        pb_utils.Tensor("AD", texts(list(ads.values()))),
        pb_utils.Tensor("KEY", np.full((len(ads), 1), key, np.uint64)),
    )
    return {row: _curve(out, i) for i, row in enumerate(ads)}


def _each(ctx: NDArray[np.float32], ads: dict[int, str], key: int) -> dict[int, Curve]:
    """One call an ad: one that cannot be valued takes only itself out."""
    found: dict[int, Curve] = {}
    for row, ad in ads.items():
        with contextlib.suppress(SkynetError):
            found |= _curves(ctx, {row: ad}, key)
    return found


def _curve(out: dict[str, NDArray[Any]], i: int) -> Curve:
    v_max, a, k_0, spread = (float(x) for x in out["CURVE"][i])
    d_v, loss = out["DV"][i].copy(), out["LOSS"][i].copy()
    tve = served_name(int(out["SERVED"][i, 0]))
    return Curve(v_max, a, k_0, spread, d_v, loss, int(out["COUNT"][i, 0]), tve)
