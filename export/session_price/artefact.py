# SPDX-License-Identifier: Apache-2.0
"""A policy folder in, a model folder out: model.onnx, manifest.json, MODEL_CARD.md."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from bls.contracts import MULTIPLIERS, PriceState
from export.errors import ExportError
from export.llm.onnx_writer import OPSET
from export.model_manifest import ModelManifest, hash_files
from export.session_price import graph, parity
from export.session_price.card import card
from pipelines_dagster.phantom.policies.network import NetworkPolicy
from pipelines_dagster.phantom.policies.policy import Origin
from pipelines_dagster.phantom.policies.saved import CONFIG, WEIGHTS, read_policy

NAME = "session_price"
MODEL_FILE, CARD_FILE = "model.onnx", "MODEL_CARD.md"
STATE_LAYOUT = 1
"""Raised with every change to what `PriceState` puts where."""
SHIPPED = Path(__file__).resolve().parents[2] / "model_repository" / NAME / "1"


def export(policy_folder: Path, out: Path, version: str = "1") -> ModelManifest:
    """Write the model of a trained policy; other files of `out` stay as they are.

    Raises:
        ExportError: `not_exportable` for a tier without a network, `parity_failed`.
        SkynetError: `no_policy`, `bad_policy`.
    """
    policy, origin, config = read_policy(policy_folder)
    if not isinstance(policy, NetworkPolicy):
        raise ExportError("not_exportable", "this tier has no network; choose another champion")
    model = graph.build(policy)
    found = parity.check(policy, model.SerializeToString(deterministic=True))
    out.mkdir(parents=True, exist_ok=True)
    graph.write(model, out / MODEL_FILE)
    metrics = {name: float(value) for name, value in config.get("metrics", {}).items()}
    numbers = sum(layer.weight.size + layer.bias.size for layer in policy.layers)
    command = "python -m export.session_price --policy FOLDER --out FOLDER"
    told = card(
        version,
        origin,
        config,
        found,
        metrics,
        numbers=numbers,
        hidden=len(policy.layers) - 1,
        exported_by=command,
    )
    (out / CARD_FILE).write_text(told, encoding="utf-8")
    manifest = ModelManifest(
        name=NAME,
        version=version,
        files=hash_files(out, [MODEL_FILE]),
        inputs={"STATE": f"FP32[-1,{len(PriceState)}]"},
        outputs={"MULTIPLIER": "FP32[-1,1]"},
        metrics=metrics,
        dataset_sha256=_market_hash(config),
        seed=origin.seed,
        created_by=str(config.get("created_by", command)),
        details=_details(policy_folder, origin, config),
    )
    manifest.write(out)
    return manifest


def _market_hash(config: dict[str, Any]) -> str:
    """There is no dataset: the market's configuration is what a policy was trained on."""
    text = json.dumps(config.get("market", {}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _details(policy_folder: Path, origin: Origin, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "state_layout": STATE_LAYOUT,
        "state": [place.name for place in PriceState],
        "multipliers": list(MULTIPLIERS),
        "opset": OPSET,
        "tier": origin.tier,
        "robust": origin.robust,
        "timesteps": origin.timesteps,
        "market": config.get("market", {}),
        "policy_sha256": hash_files(policy_folder, [CONFIG, WEIGHTS]),
    }
