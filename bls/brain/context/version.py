# SPDX-License-Identifier: Apache-2.0
"""One version of the axes: P_K, with the name that indexes and vectors of it carry."""

from __future__ import annotations

from dataclasses import dataclass

from bls.brain.context import axes, files
from bls.errors import SkynetError
from bls.models.pointer import Target
from bls.models.served import served_id
from export.errors import ExportError

NEWEST = 0
"""What a caller asks for that has no axes of its own yet."""


@dataclass(frozen=True)
class AxesVersion:
    """Attributes:
    sha256: of the version's manifest.
    p_k: f32 [128, 384], rows orthonormal.
    """

    sha256: str
    version: str
    p_k: axes.F32

    @property
    def served(self) -> int:
        """`SERVED`: the name of these axes."""
        return served_id(self.sha256)

    def project(self, embedded: axes.F32) -> axes.F32:
        """Axis vectors f32 [..., 128] from MiniLM's f32 [..., 384]."""
        return axes.project(self.p_k, embedded)


@dataclass(frozen=True)
class Held:
    """The version that serves, and the one before it, whose index may still be in use."""

    newest: AxesVersion
    previous: AxesVersion | None = None

    @property
    def sha256(self) -> str:
        return self.newest.sha256

    @property
    def versions(self) -> tuple[AxesVersion, ...]:
        """The newest first."""
        return (self.newest,) if self.previous is None else (self.newest, self.previous)

    def named(self, served: int = NEWEST) -> AxesVersion:
        """Raises `axes_unknown` (409) for axes that are not held, or not any more."""
        for version in self.versions:
            if served in (NEWEST, version.served):
                return version
        raise SkynetError("axes_unknown", "These axes are not held.", 409, "AXES")


def of_files(loaded: files.EncoderFiles) -> AxesVersion:
    return AxesVersion(loaded.sha256, loaded.version, loaded.p_k)


def load(target: Target, minilm: files.EncoderFiles) -> AxesVersion:
    """A version that has passed every check, for the MiniLM that is running.

    Raises `ExportError` `model_hash_mismatch` when it is not what the key names, `model_contract`
    when it was fitted to another MiniLM or tokenizer; or what `files.load` raises.
    """
    found = files.load(target.folder)
    if found.sha256 != target.sha256:
        raise ExportError("model_hash_mismatch", "the manifest is not the one that is named")
    if found.model != minilm.model or found.tokenizer != minilm.tokenizer:
        raise ExportError("model_contract", "the axes belong to another MiniLM or tokenizer")
    return of_files(found)
