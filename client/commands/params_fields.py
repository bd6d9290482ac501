# SPDX-License-Identifier: Apache-2.0
"""FIELD=VALUE of `skynet params set`: reading, checking, completing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

import click
from click.shell_completion import CompletionItem
from pydantic import ValidationError

from bls.brain.params import MpcParams

FIELDS = MpcParams.model_fields


class Assignment(click.ParamType[tuple[str, Any]]):
    """`horizon=4`: a known field, and its value as JSON or a bare word."""

    name = "FIELD=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        name, equals, text = str(value).partition("=")
        if not equals:
            self.fail(f"{value!r} is not FIELD=VALUE", param, ctx)
        if name not in FIELDS:
            self.fail(f"no field {name!r}; there are {', '.join(FIELDS)}", param, ctx)
        try:
            read = json.loads(text)
        except ValueError:
            read = text
        try:
            MpcParams.model_validate({name: read})
        except ValidationError as error:
            self.fail(f"{name}: {error.errors()[0]['msg']}", param, ctx)
        return name, read

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        name, equals, _ = incomplete.partition("=")
        if equals and name in FIELDS:
            offered = [f"{name}={choice}" for choice in get_args(FIELDS[name].annotation)]
        else:
            offered = [f"{field}=" for field in FIELDS]
        return [CompletionItem(text) for text in offered if text.startswith(incomplete)]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What differs, in words."""
    return ", ".join(
        f"{name} {before.get(name)} -> {after.get(name)}"
        for name in FIELDS
        if before.get(name) != after.get(name)
    )
