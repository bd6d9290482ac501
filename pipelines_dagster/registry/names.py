# SPDX-License-Identifier: Apache-2.0
"""Names of versions and where they lie: `<models>/<subsystem>/<version>/` (U-09)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from bls.errors import SkynetError, invalid
from bls.models.model_key import VERSION, ModelKey

SUBSYSTEM = re.compile(r"[a-z][a-z0-9_]{0,31}")
_A_DAY = 99


@dataclass(frozen=True)
class Stored:
    """A version in the store; `sha256` is of its manifest.json."""

    subsystem: str
    version: str
    uri: str
    sha256: str

    def key(self, share: float = 1.0) -> ModelKey:
        return ModelKey(self.version, self.uri, self.sha256, share)

    @property
    def served(self) -> str:
        """How events name it."""
        return self.sha256[:16]


def check_path(subsystem: str, version: str) -> str:
    """`<subsystem>/<version>`. Raises `bad_version` for any other form."""
    named = SUBSYSTEM.fullmatch(subsystem) and VERSION.fullmatch(version)
    if not named or not version.startswith(f"{subsystem}_"):
        raise invalid("bad_version", "A version is <subsystem>_<name>, in lower case.")
    return f"{subsystem}/{version}"


def next_version(subsystem: str, taken: Iterable[str], day: date) -> str:
    """`pred_2026_11_22_01`, the day's next number. Raises `too_many_versions` past 99."""
    known = set(taken)
    for number in range(1, _A_DAY + 1):
        version = f"{subsystem}_{day:%Y_%m_%d}_{number:02}"
        if version not in known:
            check_path(subsystem, version)
            return version
    raise SkynetError("too_many_versions", "A day has at most 99 versions of a subsystem.", 409)


def version_exists() -> SkynetError:
    return SkynetError("version_exists", "This version exists; versions are never replaced.", 409)
