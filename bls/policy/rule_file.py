# SPDX-License-Identifier: Apache-2.0
"""Rules from TOML files: the built-in `terms.toml`, and one of the operator's own.

[rivals]                      # the reason, as it stands in logs
terms = ["acme*", "buy from acme"]
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from bls.errors import SkynetError
from bls.policy.rule import Rule, parse_rule
from bls.policy.terms import Terms
from bls.request import Name, Strict

BUILT_IN = Path(__file__).with_name("terms.toml")


class _Group(Strict):
    """Rules that share a reason."""

    terms: Annotated[list[str], Field(min_length=1)]


_FILE = TypeAdapter(dict[Name, _Group])


def load_terms(path: str = "") -> Terms:
    """The built-in rules and those of the file at `path`. Raises `bad_policy_rules`."""
    own = list(read_rules(Path(path))) if path else []
    return Terms([*read_rules(BUILT_IN), *own])


def rules_sha256(path: str = "") -> str:
    """What names the rules of `load_terms(path)`: of both files' bytes, hex. Raises
    `bad_policy_rules`."""
    digest = hashlib.sha256()
    for file in (BUILT_IN, *([Path(path)] if path else [])):
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError:
            raise _bad("the file cannot be read") from None
    return digest.hexdigest()


def read_rules(file: Path) -> Iterator[Rule]:
    """Rules of one file. Raises `bad_policy_rules` naming the group at fault."""
    for reason, group in _groups(file).items():
        for text in group.terms:
            try:
                yield parse_rule(reason, text)
            except ValueError as error:
                raise _bad(f"{reason}: {error}") from None


def _groups(file: Path) -> dict[str, _Group]:
    try:
        return _FILE.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError:
        raise _bad("the file cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _bad(f"not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _bad(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _bad(why: str) -> SkynetError:
    return SkynetError("bad_policy_rules", f"Policy rules: {why}.", 500)
