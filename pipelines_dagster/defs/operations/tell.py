# SPDX-License-Identifier: Apache-2.0
"""What the sensors tell people, through the notifier of the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipelines_dagster.notify.notifier import open_notifier
from pipelines_dagster.settings import PipelineSettings

Tell = Callable[..., None]
_TEXTS = {
    "sla_missed": "A deadline was missed",
    "run_failed": "A run failed",
    "refused": "A gate refused a version",
}


def teller(settings: PipelineSettings) -> Tell:
    """`tell(kind, **facts)`. Raises what `open_notifier` raises."""
    notifier = open_notifier(settings)

    def tell(kind: str, **facts: Any) -> None:
        job = facts.get("job", "")
        notifier.tell(kind, f"{_TEXTS[kind]}: {job}.", **facts)

    return tell
