# SPDX-License-Identifier: Apache-2.0
"""A policy in a folder: `policy.json` (what it is, and the SHA-256 of its numbers) and
`weights.safetensors`. Nothing is pickled, so nothing runs when one is read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bls.errors import SkynetError
from pipelines_dagster.phantom.policies.network import Layer, NetworkPolicy
from pipelines_dagster.phantom.policies.policy import Origin, Policy
from pipelines_dagster.phantom.policies.qtable import TablePolicy
from pipelines_dagster.phantom.policies.rules import Static, Surge

CONFIG, WEIGHTS = "policy.json", "weights.safetensors"
SCHEMA = 1


def write_policy(folder: Path, policy: Policy, origin: Origin, config: dict[str, Any]) -> None:
    """Into a folder, made if it is not there.

    Args:
        config: what else made it (the market, argv, git SHA): JSON values, not read back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blob = save(_tensors(policy))
    (folder / WEIGHTS).write_bytes(blob)
    told = {"schema": SCHEMA, "origin": asdict(origin), "kind": _kind(policy), **_options(policy)}
    told |= {"sha256": hashlib.sha256(blob).hexdigest(), "config": config}
    text = json.dumps(told, indent=2, sort_keys=True, allow_nan=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def read_policy(folder: Path) -> tuple[Policy, Origin, dict[str, Any]]:
    """The policy, its origin, and `config` as it was written.

    Raises:
        SkynetError: `no_policy`, `bad_policy` for other contents or another hash.
    """
    try:
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        blob = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError:
        raise SkynetError("no_policy", "There is no policy in this folder.", 404) from None
    except (OSError, ValueError):
        raise _bad("unreadable") from None
    try:
        if told["schema"] != SCHEMA or told["sha256"] != hashlib.sha256(blob).hexdigest():
            raise _bad("another schema, or other weights than it was written with")
        return _policy(told, load(blob)), Origin(**told["origin"]), dict(told["config"])
    except (KeyError, TypeError, SafetensorError) as fault:
        raise _bad(type(fault).__name__) from None


def _kind(policy: Policy) -> str:
    kinds: dict[type, str] = {
        Static: "static",
        Surge: "surge",
        TablePolicy: "table",
        NetworkPolicy: "network",
    }
    return kinds[type(policy)]


def _tensors(policy: Policy) -> dict[str, Any]:
    if isinstance(policy, TablePolicy):
        return {"values": policy.values.astype(np.float64)}
    if not isinstance(policy, NetworkPolicy):
        return {}
    found = {"mask": policy.mask}
    for at, layer in enumerate(policy.layers):
        found |= {f"{at}.weight": np.ascontiguousarray(layer.weight), f"{at}.bias": layer.bias}
    return found


def _options(policy: Policy) -> dict[str, Any]:
    if isinstance(policy, Surge):
        return {"high": policy.high, "low": policy.low}
    return {"conditional": policy.conditional} if isinstance(policy, TablePolicy) else {}


def _policy(told: dict[str, Any], tensors: dict[str, Any]) -> Policy:
    match told["kind"]:
        case "static":
            return Static()
        case "surge":
            return Surge(float(told["high"]), float(told["low"]))
        case "table":
            return TablePolicy(tensors["values"], bool(told["conditional"]))
        case "network":
            count = (len(tensors) - 1) // 2
            layers = [Layer(tensors[f"{at}.weight"], tensors[f"{at}.bias"]) for at in range(count)]
            return NetworkPolicy(tuple(layers), tensors["mask"])
    raise _bad("an unknown kind")


def _bad(why: str) -> SkynetError:
    return SkynetError("bad_policy", f"Not a policy: {why}.", 500)
