# SPDX-License-Identifier: Apache-2.0
"""Versions made worse on purpose: a champion to be beaten, challengers to be stopped.

A variant of `bid_predictor` is a real version with its head's bias moved: it passes every check of
the contract, answers fast, and is wrong by as much as was asked for. Its manifest says so.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from bls.errors import invalid
from bls.models.model_key import VERSION
from export.bid_predictor.artefact import MODEL_FILE, PCA_FILE, verify
from export.manifest import MANIFEST_NAME, file_sha256
from export.model_manifest import ModelManifest, hash_files

_HEAD = "head.bias"
"""Units of the mixture: a, r_1, b, r_2, c; mu_1 = mean + a, log s_k = r_k where it is not held."""


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a variant.

    Attributes:
        bias: added to the forecast's mean of log W_-i.
        spread: factor on its standard deviations.
    """

    bias: float = 0.0
    spread: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.bias) and 0.1 <= self.spread <= 10):
            raise invalid("bad_flaw", "A bias is finite, a spread between 0.1 and 10.")


def degraded_predictor(source: Path, out: Path, version: str, flaw: Flaw) -> str:
    """Write a flawed copy of the version in `source` to `out`; the SHA-256 of its manifest.

    Raises:
        ExportError: `source` is not whole, see `verify`.
        SkynetError: `bad_version`, `version_exists`, or `bad_model` for a graph of another make.
    """
    if not VERSION.fullmatch(version):
        raise invalid("bad_version", "A version has small letters, digits and underscores.")
    if out.exists():
        raise invalid("version_exists", "There is a version of this name.")
    manifest = verify(source)
    graph = _flawed(onnx.load(source / MODEL_FILE), flaw)
    out.mkdir(parents=True)
    (out / MODEL_FILE).write_bytes(graph.SerializeToString(deterministic=True))
    shutil.copy2(source / PCA_FILE, out / PCA_FILE)
    _manifest(manifest, out, version, flaw).write(out)
    verify(out)
    return file_sha256(out / MANIFEST_NAME)


def _flawed(model: onnx.ModelProto, flaw: Flaw) -> onnx.ModelProto:
    for tensor in model.graph.initializer:
        if tensor.name == _HEAD and list(tensor.dims) == [5]:
            bias = numpy_helper.to_array(tensor).copy()
            bias += np.array(
                [flaw.bias, math.log(flaw.spread), 0, math.log(flaw.spread), 0], np.float32
            )
            tensor.CopyFrom(numpy_helper.from_array(bias, _HEAD))
            onnx.checker.check_model(model)
            return model
    raise invalid("bad_model", "The graph has no head of five units.")


def _manifest(source: ModelManifest, out: Path, version: str, flaw: Flaw) -> ModelManifest:
    """What was measured of the source does not hold here, so it is left out."""
    return replace(
        source,
        version=version,
        files=hash_files(out, [MODEL_FILE, PCA_FILE]),
        metrics={"rehearsal.bias": flaw.bias, "rehearsal.spread": flaw.spread},
        created_by="skynet loop",
        details={
            **source.details,
            "rehearsal": "degraded for a rehearsal: the head's bias was moved",
            "made_from": source.dataset_sha256,
        },
    )
