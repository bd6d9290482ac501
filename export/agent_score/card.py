# SPDX-License-Identifier: Apache-2.0
"""The model card of a version, from what its training measured."""

from __future__ import annotations

from collections.abc import Sequence

from export.agent_score.sessions import Prefixes
from export.model_manifest import ModelManifest

_TEXT = """# agent_score {version}

How likely a shop session is an automated agent's, after each of its events: `TRANSITIONS f32
[n, 15, 14]`, `STATS f32 [n, 16]` -> `PROBABILITY f32 [n, 1]`, `DIVERGENCE f32 [n, 2]` (Delta_H,
Delta_A in nats). {size} kB, opset 21. Licence Apache-2.0. How it works and every figure:
`docs/agent_score.md`.

| | |
|---|---|
| trained on | {sessions} sessions ({agents} of agents, {people} person-like), {rows} prefixes |
| their drivers, all our own, label `synthetic` | {drivers} |
| made by | `{command}` |
| prior: calibrated for this share of agents; the score of 0 or 1 acts | {prior} |
| calibration, on held-out sessions of known and of unseen drivers | {slope:.3f} z {offset:+.3f} |
| AUC, whole sessions of unseen drivers, pooled | {unseen:.3f} |
| ONNX against numpy, largest difference of a probability | {parity:.1e} |

## Use

For prices and the auction to weigh a session's signals, and for reports. Inputs come from
`bls.phantom.features`, layout 1; read it after every event. It is a weak signal: no single score
should refuse anybody anything.

## Limits

- **Nothing is claimed about real people or real agents.** Person-like drivers follow published
  behaviour; agents are scripts of ours. Train again on labelled sessions of the shop before
  trusting a figure, and after any change of the shop's pages or event names.
- Agents that behave like people, at people's pace, are not told from them unless their kind was in
  the training (the `stealthy` driver: see the leave-one-agent-out table).
- Assistive technology, password managers and impatient people can look like agents. Do not use it
  against persons.
- It reads acts, times and prices; no text, address or user agent.
"""


def card(manifest: ModelManifest, data: Prefixes, size: int) -> str:
    """MODEL_CARD.md."""
    details, metrics = manifest.details, manifest.metrics
    return _TEXT.format(
        version=manifest.version,
        size=round(size / 1000),
        sessions=f"{len(data.agent):,}",
        agents=f"{int(data.agent.sum()):,}",
        people=f"{int((~data.agent).sum()):,}",
        rows=f"{len(data.length):,}",
        drivers=_listed(sorted(set(data.driver.tolist()))),
        command=manifest.created_by,
        prior=details["config"]["prior"],
        slope=metrics["calibration.slope"],
        offset=metrics["calibration.offset"],
        unseen=metrics["unseen.auc"],
        parity=metrics["parity.probability"],
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
