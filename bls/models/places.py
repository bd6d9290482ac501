# SPDX-License-Identifier: Apache-2.0
"""From the URI of a model key to a folder that may be loaded.

`file:///` must lie inside the folder of model versions, links resolved; `s3://` is fetched into a
cache. What is in the folder is checked by whoever loads it, against the key's SHA-256.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bls.models.fetch import fetch
from bls.models.pointer import Target
from export.errors import ExportError


@dataclass(frozen=True)
class Places:
    """Attributes:
    root: of the model versions that a `file:///` may name.
    cache: where fetched versions are kept, by SHA-256.
    """

    root: Path
    cache: Path

    def folder(self, target: Target) -> Path:
        """Where the files of `target` are.

        Raises `ExportError`: `model_outside`, `model_missing`, or what `fetch` raises.
        """
        if not target.uri:
            return target.folder
        if target.uri.startswith("s3://"):
            return fetch(target.uri, target.sha256, self.cache)
        return self._local(target.uri)

    def _local(self, uri: str) -> Path:
        try:
            folder = Path(unquote(urlsplit(uri).path)).resolve(strict=True)
            root = self.root.resolve(strict=True)
            files = list(folder.iterdir())
        except (OSError, ValueError, RuntimeError):
            raise ExportError("model_missing", "the key names no folder") from None
        if root not in folder.parents or any(file.is_symlink() for file in files):
            raise ExportError("model_outside", "the key names a place outside the models folder")
        return folder
