# SPDX-License-Identifier: Apache-2.0
"""Which adapters are live, as the key store says it: `/cg/lora`.

    {"adapters": [{"name": "lora_2026_11_22_01", "uri": "file:///.../lora/lora_2026_11_22_01",
                   "sha256": of the version's manifest.json, "advertisers": ["acme", "globex"]}]}

An advertiser's rows take the adapter that names it, others none; an empty list takes all adapters
away. What `llm_step` has loaded whole it acknowledges under `/cg/lora_live`, in the server's own
store: only then rows name it. Source: content_generation 2.2.2 (`/models/cg/lora`), I-04.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS
from bls.llm.adapter_bank import NONE
from bls.models.model_key import ModelKey
from bls.models.served import served_id

LORA_KEY = "/cg/lora"
LIVE_KEY = "/cg/lora_live"
_ADVERTISERS = 256


@dataclass(frozen=True)
class NamedAdapter:
    """A version, and the advertisers whose rows take it."""

    version: ModelKey
    advertisers: tuple[str, ...]

    @property
    def number(self) -> int:
        """How rows name it."""
        return served_id(self.version.sha256)


@dataclass(frozen=True)
class Adapters:
    """The value of the key."""

    named: tuple[NamedAdapter, ...] = ()

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Adapters:
        """Raises `bad_adapters_key`."""
        listed = value.get("adapters")
        if value.keys() != {"adapters"} or not isinstance(listed, list):
            raise _bad("it has a list of adapters and nothing else")
        if len(listed) > LIMITS.adapters:
            raise _bad(f"at most {LIMITS.adapters} adapters")
        found = cls(tuple(_named(one) for one in listed))
        if len({one.number for one in found.named} | {NONE}) != len(found.named) + 1:
            raise _bad("a version appears twice")
        everyone = [name for one in found.named for name in one.advertisers]
        if len(set(everyone)) != len(everyone):
            raise _bad("an advertiser has two adapters")
        return found

    def value(self) -> dict[str, Any]:
        return {
            "adapters": [
                {
                    "name": one.version.version,
                    "uri": one.version.uri,
                    "sha256": one.version.sha256,
                    "advertisers": list(one.advertisers),
                }
                for one in self.named
            ]
        }

    def number(self, advertiser: str) -> int:
        """Of the adapter that the advertiser's rows take, 0 for none."""
        return self._numbers.get(advertiser, NONE)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: one.number for one in self.named for name in one.advertisers}


def _named(one: Any) -> NamedAdapter:
    match one:
        case {"name": name, "uri": uri, "sha256": sha256, "advertisers": list(who), **rest}:
            if rest or not who or len(who) > _ADVERTISERS:
                raise _bad("an adapter has name, uri, sha256 and 1 to 256 advertisers")
            if not all(isinstance(name, str) and 0 < len(name) <= 128 for name in who):
                raise _bad("an advertiser is a name")
        case _:
            raise _bad("an adapter has name, uri, sha256 and advertisers")
    try:
        version = ModelKey.of({"version": name, "uri": uri, "sha256": sha256})
    except SkynetError as fault:
        raise _bad(fault.message) from None
    return NamedAdapter(version, tuple(who))


def _bad(why: str) -> SkynetError:
    return invalid("bad_adapters_key", f"Not the key of adapters: {why}.")
