# SPDX-License-Identifier: Apache-2.0
"""Commands in the README and in docs/ are there: every target of make, every module that is run,
and of `skynet` the options too."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bls.settings import REPOSITORY
from client.cli import cli

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
CODE = re.compile(r"^```\w*\n(.*?)^```|`([^`\n]+)`", re.S | re.M)
TARGETS = set(re.findall(r"^([a-z][\w-]*):", (REPOSITORY / "Makefile").read_text(), re.M))
OURS = ("bls", "client", "export", "kernels_cuda", "perf_analyzer_configs", "pipelines_dagster")


def commands(page: Path) -> Iterator[list[str]]:
    """Words of every command line in code, settings in front of it left out."""
    for block, inline in CODE.findall(page.read_text()):
        for line in (block or inline).replace("\\\n", " ").splitlines():
            if r"\n" in line:  # bytes that are signed, not a command
                continue
            try:
                words = shlex.split(line, comments=True)
            except ValueError:  # code of another language
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def missing(words: list[str]) -> str | None:
    """What a command names that is not there."""
    if words[0] == "make":
        named = (one for one in words[1:] if re.fullmatch(r"[a-z][\w-]*", one))
        return next((one for one in named if one not in TARGETS), None)
    if words[:2] == ["python", "-m"] and words[2:] and words[2].partition(".")[0] in OURS:
        return None if importlib.util.find_spec(words[2]) else words[2]
    return _unknown(words[1:]) if words[0] == "skynet" else None


def _unknown(words: list[str]) -> str | None:
    command: click.Command = cli
    context = click.Context(cli)
    for word in words:
        if isinstance(command, click.Group) and re.fullmatch(r"[a-z][\w-]*", word):
            found = command.get_command(context, word)
            if found is None:
                return word
            command = found
        elif word.startswith("--"):
            known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
            if word.partition("=")[0] not in known | {"--help"}:
                return word
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    wrong = [(" ".join(words), missing(words)) for words in commands(page) if missing(words)]
    assert not wrong


def test_a_wrong_one_is_seen() -> None:
    assert missing(["skynet", "phantom", "traffic", "--ground", "browser"]) == "--ground"
    assert missing(["skynet", "phantom", "no-such"]) == "no-such"
    assert missing(["make", "no-such"]) == "no-such"
    assert missing(["python", "-m", "client.no_such"]) == "client.no_such"
    assert missing(["skynet", "phantom", "traffic", "--sessions", "2"]) is None
