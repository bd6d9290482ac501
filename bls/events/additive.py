# SPDX-License-Identifier: Apache-2.0
"""Schemas only grow: `python -m bls.events.additive` compares them with the last released ones.

A new field needs a default, so that old messages can be read; a field that is gone, has another
type or lost its default is refused, so that old readers and old tables go on. `--release` makes the
current schemas the released ones, when they pass: part of making a release (seed ORC-U-02).
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bls.errors import SkynetError
from bls.events.schema import FOLDER, RELEASED

Schema = Mapping[str, Any]


def check_additive(topic: str, old: Schema, new: Schema) -> None:
    """Raises `schema_violation`, naming the field at fault."""
    if (old["name"], old.get("namespace")) != (new["name"], new.get("namespace")):
        raise _violation(topic, "has another name")
    before, after = _fields(old), _fields(new)
    for name, field in before.items():
        if name not in after:
            raise _violation(topic, f"lacks {name}")
        _check_type(f"{topic}.{name}", field["type"], after[name]["type"])
        if "default" in field and "default" not in after[name]:
            raise _violation(topic, f"has {name} without its default")
    for name in after.keys() - before.keys():
        if "default" not in after[name]:
            raise _violation(topic, f"has a new field without a default, {name}")


def check_folder(old: Path = RELEASED, new: Path = FOLDER) -> None:
    """Every released schema against today's. Raises `schema_violation`."""
    for path in sorted(old.glob("*.avsc")):
        today = new / path.name
        if not today.is_file():
            raise _violation(path.stem, "is gone")
        check_additive(path.stem, json.loads(path.read_text()), json.loads(today.read_text()))


def release(old: Path = RELEASED, new: Path = FOLDER) -> None:
    """Make today's schemas the released ones. Raises `schema_violation` and changes nothing."""
    check_folder(old, new)
    for path in sorted(new.glob("*.avsc")):
        shutil.copyfile(path, old / path.name)


def _fields(record: Schema) -> dict[str, Schema]:
    return {field["name"]: field for field in record["fields"]}


def _check_type(where: str, old: Any, new: Any) -> None:
    """Types are equal, but for records inside, which may grow as well."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old["type"] == new["type"]:
        if old["type"] == "record":
            return check_additive(where, old, new)
        if old["type"] == "array":
            return _check_type(where, old["items"], new["items"])
    if old != new:
        raise _violation(where, "has another type")
    return None


def _violation(where: str, fault: str) -> SkynetError:
    return SkynetError("schema_violation", f"The schema of {where} {fault}.", 409)


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if words not in ([], ["--release"]):
        print("usage: python -m bls.events.additive [--release]", file=sys.stderr)
        return 2
    try:
        release() if words else check_folder()
    except SkynetError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
