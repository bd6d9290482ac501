# SPDX-License-Identifier: Apache-2.0
"""`trainer.loss.trace`: one JSON line a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback


class LossTrace(Callback):  # type: ignore[misc]
    """Appends {stage, step, loss, crps, rmse} of every step; a stage without CRPS has none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text("", encoding="utf-8")

    def on_train_batch_end(self, trainer: Any, module: Any, *rest: Any) -> None:
        told = {name: round(float(v), 6) for name, v in trainer.callback_metrics.items()}
        line = {"stage": type(module).__name__.lower(), "step": trainer.global_step, **told}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
