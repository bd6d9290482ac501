# SPDX-License-Identifier: Apache-2.0
"""One version of an ONNX model: hashed, checked against its contract, run on one thread or more.

The bytes that are hashed are the bytes that are loaded, so a file cannot change in between. Nothing
but ONNX and JSON is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bls.contracts import ModelContract, Tensor
from export.errors import ExportError
from export.manifest import MANIFEST_NAME
from export.model_manifest import ModelManifest

MODEL = "model.onnx"
_TYPES = {
    "FP32": "tensor(float)",
    "FP64": "tensor(double)",
    "INT32": "tensor(int32)",
    "INT64": "tensor(int64)",
}
_NUMPY: dict[str, type[Any]] = {
    "FP32": np.float32,
    "FP64": np.float64,
    "INT32": np.int32,
    "INT64": np.int64,
}


class OnnxModel:
    """A model of `contract` from a folder with `manifest.json` and `model.onnx`.

    Attributes:
        manifest: the folder's manifest; every file it lists had the hash it says.
        sha256: of the manifest, and so of the whole version.
    """

    def __init__(
        self,
        folder: Path,
        contract: ModelContract,
        sha256: str | None = None,
        spin: bool = False,
        *,
        threads: int = 1,
    ) -> None:
        """Raises `ExportError`: the codes of `ModelManifest.load`, or `model_contract`.

        Args:
            sha256: what the manifest's own hash must be; None trusts the folder.
            spin: keep onnxruntime's thread spinning between runs.
            threads: of onnxruntime.
        """
        self.sha256 = _manifest_hash(folder, sha256)
        self.manifest = ModelManifest.load(folder)
        self.contract = contract
        content = _model(folder, self.manifest)
        try:
            self._session = _session(content, spin, threads)
        except Exception:  # onnxruntime raises many types, with paths and graph details
            raise ExportError("model_contract", "the graph cannot be loaded") from None
        _compare("inputs", self._session.get_inputs(), contract.inputs)
        _compare("outputs", self._session.get_outputs(), contract.outputs)
        self._outputs = [tensor.name for tensor in contract.outputs]

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The contract's outputs, in its order, for inputs [n, ...] by name."""
        answers: list[NDArray[Any]] = self._session.run(self._outputs, dict(tensors))
        return answers


def _manifest_hash(folder: Path, expected: str | None) -> str:
    try:
        found = hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()
    except OSError:
        raise ExportError("model_missing", f"no {MANIFEST_NAME} in the folder") from None
    if expected is not None and found != expected:
        raise ExportError("model_hash_mismatch", f"{MANIFEST_NAME} does not match its SHA-256")
    return found


def _model(folder: Path, manifest: ModelManifest) -> bytes:
    try:
        content = (folder / MODEL).read_bytes()
    except OSError:
        raise ExportError("model_missing", f"no {MODEL} in the folder") from None
    if hashlib.sha256(content).hexdigest() != manifest.files.get(MODEL):
        raise ExportError("model_hash_mismatch", f"{MODEL} does not match its SHA-256")
    return content


def _session(content: bytes, spin: bool, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _compare(side: str, found: Sequence[Any], wanted: Sequence[Tensor]) -> None:
    """Names, types and every dim but the batch; a dim of -1 in the contract fits any."""
    got = {one.name: (one.type, one.shape[1:]) for one in found}
    if got.keys() != {tensor.name for tensor in wanted}:
        raise ExportError("model_contract", f"{side}: got {', '.join(sorted(got))}")
    for tensor in wanted:
        kind, dims = got[tensor.name]
        fits = len(dims) == len(tensor.dims) and all(
            want in (-1, have) for want, have in zip(tensor.dims, dims, strict=True)
        )
        if kind != _TYPES.get(tensor.dtype) or not fits:
            raise ExportError("model_contract", f"{tensor.name}: got {kind} {dims}")


def zeros(contract: ModelContract, rows: int) -> dict[str, NDArray[Any]]:
    """Inputs of a probe inference: zeros, a dim of -1 taken as 1."""
    return {
        tensor.name: np.zeros((rows, *(abs(dim) for dim in tensor.dims)), _NUMPY[tensor.dtype])
        for tensor in contract.inputs
    }
