# SPDX-License-Identifier: Apache-2.0
"""Figures of a version's own graph on held-out rows, drawn the same way for every version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bls.brain.features import W_FLOOR

SEED = 11
ROWS = {"full": 200_000, "quick": 40_000}
TVE_ROWS = {"full": 16_384, "quick": 4_096}
HARNESS = {"full": (300, 10_000), "quick": (200, 8_000)}
"""Conversations and rows of each attack."""


def predictor_figures(version: Path, held: Path, profile: str) -> Mapping[str, float]:
    """rmse, nll, crps, ks. A lone bidder faces the floor, which is known: such rows are left out.

    Raises `ExportError` for a folder that is not a predictor, `SkynetError` for rows that are none.
    """
    from export.bid_predictor.artefact import MODEL_FILE, verify  # noqa: PLC0415  (slow)
    from export.bid_predictor.runtime import OnnxForecaster  # noqa: PLC0415
    from export.bid_predictor.scores import score  # noqa: PLC0415
    from export.bid_predictor.training import sample  # noqa: PLC0415
    from export.bid_predictor.windows import load_windows  # noqa: PLC0415

    verify(version)
    windows = load_windows(held)
    windows = windows.take(windows.label > np.log(W_FLOOR) + 1e-6)
    windows = sample(windows, ROWS[profile], SEED)
    return score(OnnxForecaster(version / MODEL_FILE)(windows), windows.label).as_dict()


def tve_figures(version: Path, held: Path, profile: str) -> Mapping[str, float]:
    """r2, rmse, crps. Raises as `predictor_figures`."""
    from export.tve.data import load  # noqa: PLC0415  (slow)
    from export.tve.publish import served  # noqa: PLC0415
    from export.tve.score import score  # noqa: PLC0415
    from export.tve.tokens import TOKENIZER, load_tokenizer  # noqa: PLC0415

    samples = load(held, load_tokenizer(version / TOKENIZER))
    order = np.random.default_rng(SEED).permutation(len(samples))
    samples = samples.take(order[: TVE_ROWS[profile]])
    return asdict(score(served(version, samples), samples))


def attacks(version: Path, profile: str) -> list[dict[str, Any]]:
    """Rows of the robustness harness (competitor_bid 2.2 I, I-04)."""
    from export.bid_predictor import draws, robustness  # noqa: PLC0415  (slow)
    from export.bid_predictor.artefact import MODEL_FILE  # noqa: PLC0415
    from export.bid_predictor.runtime import OnnxForecaster  # noqa: PLC0415

    conversations, rows = HARNESS[profile]
    drawn = draws.draw(SEED, conversations, rows)
    return [asdict(row) for row in robustness.run(OnnxForecaster(version / MODEL_FILE), drawn)]


def failures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why the harness refuses; empty when it does not."""
    from export.bid_predictor import robustness  # noqa: PLC0415  (slow)

    return robustness.gate([robustness.Row(**row) for row in rows])
