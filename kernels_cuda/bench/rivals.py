# SPDX-License-Identifier: Apache-2.0
"""The same auction written with care in numpy and in torch, float32, for comparison.

Each maker returns a call that does one reply: blend, winner or draw, margin, reference token,
every payment and critical bid, and with `top` the audit outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOP = 16
Call = Callable[[], int]


def numpy_auction(
    logits: NDArray[Any], weights: NDArray[np.float32], temperature: float, sample: bool, top: bool
) -> Call:
    """In place where numpy can."""
    rng = np.random.default_rng(0)

    def softmax() -> NDArray[np.float32]:
        p = logits.astype(np.float32)
        p -= p.max(axis=1, keepdims=True)
        p *= np.float32(1 / temperature)
        np.exp(p, out=p)
        p /= p.sum(axis=1, keepdims=True)
        return p

    def clarke(p: NDArray[np.float32], blend: NDArray[np.float32], token: int) -> None:
        for i in range(1, len(weights)):
            without = blend - weights[i] * p[i]
            if without.argmax() == token:
                continue
            spread = p[i, token] - p[i]
            lead = without - without[token]
            rivals = spread > 0
            _pay, _bid = lead.max(), (lead[rivals] / spread[rivals]).max()

    def draw(p: NDArray[np.float32]) -> int:
        row = int(rng.choice(len(weights), p=weights / weights.sum()))
        running = p[row].cumsum(dtype=np.float64)
        token = int(running.searchsorted(rng.random() * running[-1], side="right"))
        b = weights[1:].astype(np.float64)
        s = weights.sum(dtype=np.float64) - b
        at = (weights * p[:, token]).astype(np.float64)
        q, without = at.sum() / (s + b), (at.sum() - at[1:]) / s
        _pay = (
            np.maximum(0, 1 - without / q) * (s * np.log1p(b / s) - s * b / (s + b)) * (s + b) / b
        )
        return token

    def run() -> int:
        p = softmax()
        blend = weights @ p
        token = draw(p) if sample else int(blend.argmax())
        rest = blend.copy()
        rest[token] = 0
        _margin, _ref = blend[token] - rest.max(), logits[0].argmax()
        if not sample:
            clarke(p, blend, token)
        if top:
            best = np.argpartition(logits, -TOP, axis=1)[:, -TOP:]
            _values = logits[:, best.ravel()]
        return token

    return run


def torch_auction(
    logits: NDArray[Any], weights: NDArray[np.float32], temperature: float, sample: bool, top: bool
) -> Call | None:
    """Advertisers at once; None where torch is not installed."""
    if find_spec("torch") is None:
        return None
    torch: Any = import_module("torch")
    torch.set_num_threads(1)
    z, w = torch.from_numpy(logits), torch.from_numpy(weights)
    scale = 1 / temperature

    def first_largest(values: Any) -> int:  # a fifth of argmax's time
        return int((values == values.amax()).nonzero()[0])

    def clarke(p: Any, blend: Any, token: int) -> None:
        without = blend - w[1:, None] * p[1:]
        pay = without.amax(dim=1) - without[:, token]
        for i in pay.nonzero().ravel().tolist():
            spread = p[i + 1, token] - p[i + 1]
            lead = without[i] - without[i, token]
            _bid = torch.where(spread > 0, lead / spread, 0).max()

    def draw(p: Any) -> int:
        row = int(torch.multinomial(w, 1))
        running = p[row].cumsum(0, dtype=torch.float64)
        token = int(torch.searchsorted(running, torch.rand((), dtype=torch.float64) * running[-1]))
        b, s = w[1:].double(), w.sum().double() - w[1:].double()
        at = (w * p[:, token]).double()
        q, without = at.sum() / (s + b), (at.sum() - at[1:]) / s
        _pay = (
            (1 - without / q).clamp(min=0) * (s * (b / s).log1p() - s * b / (s + b)) * (s + b) / b
        )
        return token

    def run() -> int:
        p = torch.softmax(z.float() * scale, dim=1)
        blend = w @ p
        token = draw(p) if sample else first_largest(blend)
        rest = blend.clone()
        rest[token] = 0
        _margin, _ref = blend[token] - rest.amax(), first_largest(z[0])
        if not sample:
            clarke(p, blend, token)
        if top:
            _values = z[:, z.topk(TOP, dim=1).indices.ravel()]
        return token

    unrecorded: Call = torch.inference_mode()(run)
    return unrecorded


def memory_floor(logits: NDArray[Any]) -> Call:
    """Reads the same bytes once and does nothing else worth naming."""
    words = logits.ravel().view(np.int32) if logits.nbytes % 4 == 0 else logits.ravel()
    return lambda: int(words.max())
