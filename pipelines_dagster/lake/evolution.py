# SPDX-License-Identifier: Apache-2.0
"""Tables only grow: a new column is welcome, one that is gone or has another type is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bls.errors import SkynetError


def check_additive(table: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raises `schema_violation`, naming the columns at fault."""
    gone = sorted(old.keys() - new.keys())
    if gone:
        raise _violation(table, f"lacks {', '.join(gone)}")
    changed = [name for name, kind in old.items() if new[name] != kind]
    if changed:
        name = changed[0]
        raise _violation(table, f"has {name} as {new[name]}, expected {old[name]}")


def _violation(table: str, fault: str) -> SkynetError:
    return SkynetError("schema_violation", f"What is to be written to {table} {fault}.", 409)
