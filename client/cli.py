# SPDX-License-Identifier: Apache-2.0
"""The `skynet` command: one line for a user's error, never a stack trace.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import click
import httpx
from click.shell_completion import get_completion_class

from bls.errors import SkynetError
from client.commands.advertisers import advertisers
from client.commands.audit import audit
from client.commands.bid import bid
from client.commands.budget import budget
from client.commands.chat import chat
from client.commands.creatives import creatives
from client.commands.explain import explain
from client.commands.gdpr import gdpr
from client.commands.info import health, models, vocabulary
from client.commands.invoices import invoices
from client.commands.keys import keys
from client.commands.lineage import lineage
from client.commands.loop import loop, traffic
from client.commands.params import params
from client.commands.phantom import phantom
from client.commands.pipelines import pipelines
from client.commands.settle import settle
from client.commands.stack import demo, serve
from client.replies import ReplyError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """SkyNet: replies whose every token is auctioned among advertisers."""


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script: eval "$(skynet completion bash)"."""
    source = get_completion_class(shell)
    assert source is not None
    click.echo(source(cli, {}, "skynet", "_SKYNET_COMPLETE").source())


_COMMANDS = (
    chat,
    bid,
    explain,
    params,
    keys,
    creatives,
    pipelines,
    traffic,
    loop,
    serve,
    demo,
    models,
    vocabulary,
    health,
    settle,
    audit,
    gdpr,
    lineage,
    invoices,
    advertisers,
    budget,
    phantom,
)

for command in _COMMANDS:
    cli.add_command(command)


def main() -> int:
    """Run the command line and turn every expected failure into one line and a code."""
    try:
        code = cli.main(prog_name="skynet", standalone_mode=False) or 0
    except (click.Abort, KeyboardInterrupt):
        code = _fail("interrupted", 130)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (ReplyError, SkynetError, httpx.HTTPError) as error:
        code = _fail(describe(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to flush to
        code = 1
    return code


def describe(error: ReplyError | SkynetError | httpx.HTTPError) -> str:
    """One line for a person."""
    if isinstance(error, httpx.HTTPError):
        return f"cannot talk to the gateway: {error} (is `skynet serve` running?)"
    where = f", {error.param}" if error.param else ""
    return f"{error.message} ({error.code}{where})"


def _fail(text: str, code: int = 1) -> int:
    click.echo(f"skynet: {text}", err=True)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
