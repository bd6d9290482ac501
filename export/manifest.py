# SPDX-License-Identifier: Apache-2.0
"""The manifest that travels with an exported LLM: what it is, and the SHA-256 of every file.

Standard library only: the server imports this module to load and to check a model folder.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from export.errors import ExportError

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
PLAIN, LORA = "model.onnx", "model_lora.onnx"
_CHUNK = 1 << 20


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in 1 MiB pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class LLMManifest:
    """Everything a server needs to know about an exported llama-architecture model."""

    schema_version: int
    name: str
    source: str
    source_sha256: str
    exporter_version: str
    options: dict[str, Any]
    files: dict[str, str]
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    max_context: int
    bos_id: int
    eos_ids: list[int]
    special_tokens: dict[str, int]
    chat_template: str
    quantisation: dict[str, Any]

    @classmethod
    def load(cls, folder: Path, verify: bool = True) -> LLMManifest:
        """Read `folder/manifest.json`; with `verify`, hash every listed file as well.

        Raises `ExportError`: `manifest_missing`, `manifest_invalid`, `manifest_schema`,
        `file_missing` or `manifest_tampered`.
        """
        manifest = cls._parse(_read_json(folder / MANIFEST_NAME))
        if verify:
            manifest.verify(folder)
        return manifest

    @classmethod
    def _parse(cls, raw: Any) -> LLMManifest:
        if not isinstance(raw, dict):
            raise ExportError("manifest_invalid", "the manifest is not a JSON object")
        if raw.get("schema_version") != SCHEMA_VERSION:
            raise ExportError(
                "manifest_schema",
                f"expected schema_version {SCHEMA_VERSION}, got {raw.get('schema_version')!r}",
            )
        names = {field.name for field in fields(cls)}
        if names != raw.keys():
            odd = ", ".join(sorted(names ^ raw.keys()))
            raise ExportError("manifest_invalid", f"missing or unknown fields: {odd}")
        manifest = cls(**raw)
        manifest._check_types()
        return manifest

    def _check_types(self) -> None:
        for field in fields(self):
            kind = str(field.type).partition("[")[0]
            value = getattr(self, field.name)
            expected = {"int": int, "str": str, "dict": dict, "list": list}[kind]
            if not isinstance(value, expected) or isinstance(value, bool):
                got = type(value).__name__
                raise ExportError("manifest_invalid", f"{field.name}: expected {kind}, got {got}")

    def verify(self, folder: Path) -> None:
        """Hash every listed file; raise `file_missing` or `manifest_tampered`."""
        for name, expected in self.files.items():
            path = folder / name
            if Path(name).name != name or not path.is_file():
                raise ExportError("file_missing", f"{name} is listed but not in the folder")
            if file_sha256(path) != expected:
                raise ExportError("manifest_tampered", f"{name} does not match its SHA-256")

    def to_json(self) -> str:
        """The manifest as it is written: sorted keys, two spaces, a final newline."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ExportError("manifest_missing", f"no {path.name} in the model folder") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ExportError("manifest_invalid", f"{path.name} is not JSON: {error}") from None
