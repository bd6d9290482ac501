# SPDX-License-Identifier: Apache-2.0
"""A version's weights back out of its f32 graph, so that a training can go on from there.

`onnx_export.write_f32` keeps parameters under their names, but for the matrices of 3-d products:
those lie transposed under a name of the exporter's, and the product's node says whose they are.
The scale is a constant of the graph; it is found, and everything else checked, by what both answer.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from bls.contracts import AD_TOKENS, CTX
from export.errors import ExportError
from export.model_manifest import ModelManifest
from export.tve.config import Dims, TveConfig
from export.tve.model import DualTower
from export.tve.onnx_export import MODEL, curves, session

STUDENT = TveConfig().teacher.half()
_NEAR = 1e-3


def start_from(folder: Path, dims: Dims = STUDENT) -> DualTower:
    """The network of a version.

    Raises:
        ExportError: as `ModelManifest.load`, and `start_mismatch` for a version of other sizes.
    """
    ModelManifest.load(folder)
    state = _stored(onnx.load(str(folder / MODEL)))
    try:
        network = DualTower(dims, len(state["ad_tower.embed.weight"]))
        network.load_state_dict(state)
    except (KeyError, RuntimeError):
        raise _mismatch() from None
    return _scaled(network.eval(), folder)


def _stored(model: onnx.ModelProto) -> dict[str, torch.Tensor]:
    """Parameters by their names in `DualTower`."""
    found = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    for node in model.graph.node:
        matrix = node.input[1] if node.op_type == "MatMul" else ""
        if matrix in found:
            layer = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            layer = layer if "." in layer else f"fuse.{layer}"
            found[f"{layer}.weight"] = found.pop(matrix).T
    return {name: torch.from_numpy(np.array(value)) for name, value in found.items()}


def _scaled(network: DualTower, folder: Path) -> DualTower:
    """With the graph's scale, once both answer a probe alike. Raises `start_mismatch`."""
    rng = np.random.default_rng(0)
    ctx = rng.standard_normal((4, CTX)).astype(np.float32) / np.float32(np.sqrt(CTX))
    ids = rng.integers(1, network.ad_tower.embed.num_embeddings, (4, AD_TOKENS))
    mask = np.ones_like(ids)
    mask[2:, AD_TOKENS // 2 :] = 0
    wanted = curves(session(folder / MODEL), ctx, ids, mask)
    probe = (torch.from_numpy(ctx), torch.from_numpy(ids), torch.from_numpy(mask))
    with torch.no_grad():
        network.scale = float(wanted[0, 0]) / float(network(*probe)[0, 0])
        found = network(*probe).numpy()
    if not np.allclose(found, wanted, rtol=_NEAR, atol=_NEAR):
        raise _mismatch()
    return network


def _mismatch() -> ExportError:
    return ExportError("start_mismatch", "the version has another architecture")
