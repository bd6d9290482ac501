# SPDX-License-Identifier: Apache-2.0
"""How the explain worker is started."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bls.settings import REPOSITORY

_MODELS = REPOSITORY / "model_repository"


@dataclass(frozen=True)
class ExplainOptions:
    """The defaults are the served models.

    Attributes:
        python: interpreter with our packages; `shap` is imported there and nowhere else.
        tve: folder of the served value model, or of a `current.json` that names it.
        encoder: folder of the context encoder.
        keys: follow the champion that the key store of this process's settings names.
        logs: where the stream `explain.audit` is written; None writes none.
    """

    python: str = sys.executable
    tve: Path = _MODELS / "tve" / "1"
    encoder: Path = _MODELS / "context_encoder" / "1"
    keys: bool = False
    logs: Path | None = None
