# SPDX-License-Identifier: Apache-2.0
"""`skynet audit`: incentives measured on real replies, and replays of logged tokens and bids.

What needs the model is imported when it runs: asking for help must not load it.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from bls.settings import load_settings
from bls.settlement.replay import CSV, Audit
from bls.settlement.replay import replay as run_replay
from client.commands.options import default_logs, logs_option
from client.commands.progress import progress_bar
from client.commands.settle import fault_lines
from client.table import table


class DefaultGroup(click.Group):
    """A group that runs `incentives` when no subcommand is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["incentives", *args]
        return super().parse_args(ctx, args)


@click.group(cls=DefaultGroup)
def audit() -> None:
    """Check the market: `incentives` (the default), `replay` or `decisions`."""


def default_out() -> Path:
    """Where reports go with these settings."""
    return load_settings().state / "audit"


out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_out,
    show_default=".state/audit",
    help="Folder for the result.",
)


@audit.command()
@click.option(
    "--replies", type=int, default=12, show_default=True, help="Replies, in all variants."
)
@click.option("--tokens", type=int, default=32, show_default=True, help="Longest reply.")
@click.option("--bidders", type=int, default=3, show_default=True, help="Advertisers per reply.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of chats and resampling.")
@out_option
@click.option("--json", "raw", is_flag=True, help="Print the whole report as JSON.")
def incentives(*, replies: int, tokens: int, bidders: int, seed: int, out: Path, raw: bool) -> None:
    """Measure what an advertiser gains by not bidding its true value.

    Writes report.json and incentives.svg. Exit code 1 if a promise that holds exactly (per token,
    argmax) was broken.
    """
    from bls.audit.options import AuditOptions  # noqa: PLC0415
    from bls.audit.run import IncentiveAudit  # noqa: PLC0415
    from bls.campaigns import load_campaigns  # noqa: PLC0415
    from client.commands.incentives import publish  # noqa: PLC0415

    settings = load_settings()
    options = AuditOptions(replies=replies, tokens=tokens, bidders=bidders, seed=seed)
    campaigns = load_campaigns(settings.campaigns)
    work = IncentiveAudit(settings.llm_folder(), settings.llm_threads, campaigns, options)
    with progress_bar("playing replies") as progress:
        report = work.run(progress)
    click.echo(publish(report, out, raw))
    if not report.ok:
        raise click.exceptions.Exit(1)


@audit.command()
@logs_option
@out_option
@click.option("--json", "raw", is_flag=True, help="Print the totals as JSON.")
def replay(logs: Path, out: Path, raw: bool) -> None:
    """Derive every logged winner and price again, from the records alone.

    Writes vcg.audit.csv, a line per token. Exit code 1 if fewer than 99.9 % pass or records are
    missing, doubled or changed.
    """
    out.mkdir(parents=True, exist_ok=True)
    with progress_bar("replaying") as progress:
        result = run_replay(logs, out / CSV, progress)
    click.echo(json.dumps(result.as_json(), indent=2) if raw else replay_report(result, out / CSV))
    if not result.ok:
        raise click.exceptions.Exit(1)


@audit.command()
@click.argument("folder", type=click.Path(path_type=Path), default=default_logs)
@out_option
@click.option("--json", "raw", is_flag=True, help="Print the totals as JSON.")
def decisions(folder: Path, out: Path, raw: bool) -> None:
    """Decide every logged bid again and compare; FOLDER has the log streams.

    Writes replay.diff.csv, a line per difference. Exit code 1 if more than 0.1 % differ or cannot
    be read.
    """
    from bls.brain.decisions.replay import CSV as DIFF  # noqa: PLC0415
    from bls.brain.decisions.replay import replay_decisions  # noqa: PLC0415

    out.mkdir(parents=True, exist_ok=True)
    with progress_bar("deciding") as progress:
        result = replay_decisions(folder, out / DIFF, progress)
    lines = [
        f"{result.records} decisions, {result.differ} differ, {result.malformed} unreadable lines",
        *(f"unreadable: {where}" for where in result.first_malformed),
        *([f"{result.foreign} were made by another processor"] if result.foreign else []),
        f"w* as logged  {result.logged}\nw* once again  {result.replayed}",
        f"every difference: {out / DIFF}",
        "audit passed" if result.ok else "audit FAILED",
    ]
    click.echo(json.dumps(result.as_json(), indent=2) if raw else "\n".join(lines))
    if not result.ok:
        raise click.exceptions.Exit(1)


def replay_report(result: Audit, file: Path) -> str:
    """Verdicts by claim, promises, faults, the verdict."""
    rows = [
        (
            f"{mode}: {claim}",
            *(str(counts.get(word, 0)) for word in ("proven", "undecided", "refuted")),
        )
        for mode, claims in result.as_json()["verdicts"].items()
        for claim, counts in claims.items()
    ]
    lines = [
        table(("claim", "proven", "undecided", "refuted"), rows) if rows else "no tokens",
        f"{result.passed} of {result.tokens} tokens pass; {result.irrational} paid more than their "
        f"value, {result.not_monotone} not monotone",
        *fault_lines(result.faults),
        f"every token: {file}",
        "audit passed" if result.ok else "audit FAILED",
    ]
    return "\n".join(lines)
