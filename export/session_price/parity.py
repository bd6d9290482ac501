# SPDX-License-Identifier: Apache-2.0
"""Parity of the ONNX graph with the same weights in torch, the framework they were trained in."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from export.errors import ExportError
from export.session_price.runtime import OnnxPrice
from pipelines_dagster.phantom.policies.network import NetworkPolicy
from pipelines_dagster.phantom.policies.policy import F32, LEVELS, STATE
from pipelines_dagster.phantom.policies.scaling import CENTRE, CUT, HALF, LOGARITHM

NEAR_TIE = 1e-4
"""Best and second best score closer than this may swap between two orders of summing f32."""
ROWS = 20_000


@dataclass(frozen=True)
class Parity:
    """On random states, wide of what training saw.

    Attributes:
        rows: compared.
        differ: multipliers that differ though no two scores are a near tie.
        ties: near ties, left out.
        alone: multipliers that change when the row is served by itself.
    """

    rows: int
    differ: int
    ties: int
    alone: int


def check(policy: NetworkPolicy, graph: bytes, seed: int = 0) -> Parity:
    """Raises `parity_failed` when anything differs."""
    state = states(ROWS, seed)
    served = OnnxPrice(graph)
    with torch.no_grad():
        scores = _torch(policy)(torch.from_numpy(state)).numpy()
    best = np.sort(scores, axis=1)
    clear = best[:, -1] - best[:, -2] >= NEAR_TIE
    found = served.run(state)[:, 0]
    wanted = LEVELS.astype(np.float32)[scores.argmax(axis=1)]
    alone = sum(float(served.run(state[at : at + 1])[0, 0]) != found[at] for at in range(200))
    parity = Parity(ROWS, int((found != wanted)[clear].sum()), int((~clear).sum()), alone)
    if parity.differ or parity.alone:
        raise ExportError("parity_failed", "the graph and torch give different prices")
    return parity


def states(count: int, seed: int) -> F32:
    """f32[count, STATE], a tenth of their features far outside training."""
    rng = np.random.default_rng(seed)
    inside = CUT[0] + (CUT[1] - CUT[0]) * rng.random((count, STATE))
    wild = rng.normal(0, 100, (count, STATE))
    return np.where(rng.random((count, STATE)) < 0.1, wild, inside).astype(np.float32)


class _Scaled(nn.Module):  # type: ignore[misc]
    def __init__(self, mask: F32) -> None:
        super().__init__()
        self._centre, self._cut = torch.from_numpy(CENTRE), torch.from_numpy(CUT)
        self._scale, self._log = torch.from_numpy(mask / HALF), torch.from_numpy(LOGARITHM)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        cut = torch.minimum(torch.maximum(state, self._cut[0]), self._cut[1])
        return (torch.where(self._log, torch.log(1 + cut), cut) - self._centre) * self._scale


def _torch(policy: NetworkPolicy) -> nn.Module:
    parts: OrderedDict[str, nn.Module] = OrderedDict(scaled=_Scaled(policy.mask))
    for at, layer in enumerate(policy.layers):
        linear = nn.Linear(*layer.weight.shape)
        linear.weight.data = torch.from_numpy(np.ascontiguousarray(layer.weight.T))
        linear.bias.data = torch.from_numpy(np.array(layer.bias))
        parts[f"linear_{at}"] = linear
        if at + 1 < len(policy.layers):
            parts[f"tanh_{at}"] = nn.Tanh()
    return nn.Sequential(parts)
