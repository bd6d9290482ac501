# SPDX-License-Identifier: Apache-2.0
"""`/mro/index`: which version of the index is live. Its value has the form of a model key.

{"version": "index_2026_11_22_01", "uri": "file:///.../mro_index/index_2026_11_22_01",
 "sha256": of the version's manifest.json}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bls.keys.live import LiveValue, Log
from bls.keys.signing import TrustedKeys, load_trusted
from bls.keys.store import KeyStore
from bls.models.model_key import ModelKey
from bls.settings import Settings

KEY = "/mro/index"

Named = LiveValue[ModelKey | None]


def named_index(
    store: KeyStore, settings: Settings, log: Log, kept: KeyStore | None = None
) -> Named:
    """The live value of the key; None until there is one. Raises `bad_setting`."""
    trusted: TrustedKeys | None = None
    if settings.models_public_keys:
        trusted = load_trusted(settings.models_public_keys, "models_public_keys")
    return LiveValue(store, KEY, _read, None, keys=trusted, log=log, kept=kept, removable=True)


def _read(value: Mapping[str, Any]) -> ModelKey | None:
    return ModelKey.of(value)
