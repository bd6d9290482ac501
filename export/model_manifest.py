# SPDX-License-Identifier: Apache-2.0
"""The manifest beside a shipped model: what it is, how it was made, the SHA-256 of every file.

Standard library only: servers import this module to check a model folder before they load it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.manifest import MANIFEST_NAME, file_sha256

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ModelManifest:
    """A folder of one model version, as it was written.

    Attributes:
        files: file name (no folders) -> hex SHA-256; every file the server loads is listed.
        inputs, outputs: tensor name -> "FP32[-1,150]", data type and shape with the batch.
        metrics: measured figures, name -> number.
        dataset_sha256: of the training data (`dataset_hash`), hex.
        created_by: the command that makes this artefact again.
        details: what else this kind of model has to say (layout version, opset, quantisation).
    """

    name: str
    version: str
    files: dict[str, str]
    inputs: dict[str, str]
    outputs: dict[str, str]
    metrics: dict[str, float]
    dataset_sha256: str
    seed: int
    created_by: str
    details: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def load(cls, folder: Path, verify: bool = True) -> ModelManifest:
        """Read `folder/manifest.json`; with `verify`, hash every listed file as well.

        Raises `ExportError`: `model_missing`, `manifest_invalid`, `manifest_schema` or
        `model_hash_mismatch`.
        """
        try:
            raw = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ExportError("model_missing", f"no {MANIFEST_NAME} in the folder") from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise ExportError("manifest_invalid", f"{MANIFEST_NAME} is not JSON") from None
        manifest = cls._parse(raw)
        if verify:
            manifest.verify(folder)
        return manifest

    @classmethod
    def _parse(cls, raw: Any) -> ModelManifest:
        if not isinstance(raw, dict):
            raise ExportError("manifest_invalid", "the manifest is not a JSON object")
        if raw.get("schema_version") != SCHEMA_VERSION:
            found = raw.get("schema_version")
            raise ExportError("manifest_schema", f"expected {SCHEMA_VERSION}, got {found!r}")
        if odd := {one.name for one in fields(cls)} ^ raw.keys():
            raise ExportError("manifest_invalid", f"missing or unknown: {', '.join(sorted(odd))}")
        for one in fields(cls):
            kind = {"str": str, "int": int, "dict": dict}[str(one.type).partition("[")[0]]
            if not isinstance(raw[one.name], kind) or isinstance(raw[one.name], bool):
                raise ExportError("manifest_invalid", f"{one.name}: expected {kind.__name__}")
        return cls(**raw)

    def verify(self, folder: Path) -> None:
        """Hash every listed file; raise `model_missing` or `model_hash_mismatch`."""
        for name, expected in self.files.items():
            if Path(name).name != name or not (folder / name).is_file():
                raise ExportError("model_missing", f"{name} is listed but not in the folder")
            if file_sha256(folder / name) != expected:
                raise ExportError("model_hash_mismatch", f"{name} does not match its SHA-256")

    def write(self, folder: Path) -> None:
        """Check the files in `folder` against `files`, then write its manifest in one rename."""
        self.verify(folder)
        fresh = folder / f".{MANIFEST_NAME}.new"
        fresh.write_text(self.to_json(), encoding="utf-8")
        fresh.replace(folder / MANIFEST_NAME)

    def to_json(self) -> str:
        """The manifest as it is written: sorted keys, two spaces, a final newline."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def hash_files(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """name -> SHA-256 of `names` in `folder`, for `ModelManifest.files`."""
    return {name: file_sha256(folder / name) for name in names}


def dataset_hash(folder: Path, names: Iterable[str] | None = None) -> str:
    """SHA-256 over the sorted relative names and SHA-256s of the files that were read (`names`), or
    of every file under the folder."""
    found = folder.rglob("*") if names is None else (folder / name for name in names)
    digest = hashlib.sha256()
    for path in sorted(one for one in found if one.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n".encode())
    return digest.hexdigest()
