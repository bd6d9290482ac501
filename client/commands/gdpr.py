# SPDX-License-Identifier: Apache-2.0
"""`skynet gdpr`: erase a conversation, an advertiser, a creative, a context or a session of the
shop everywhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from client.commands.extra import pipelines_extra
from client.palette import printable
from client.table import table

_HEAD = ("place", "removed", "blanked", "files", "version", "read", "found", "note")


@click.group()
def gdpr() -> None:
    """Erase what is stored of somebody, and show what was erased."""


@gdpr.command()
@click.option("--conv-id", default="", help="A conversation.")
@click.option("--adv-id", default="", help="An advertiser.")
@click.option("--msg-id", default="", help="A creative.")
@click.option("--ctx-id", default="", help="A context.")
@click.option("--session-id", default="", help="A session of the shop.")
@click.option("--dry-run", is_flag=True, help="Show what the lake has of it; change nothing.")
@click.option(
    "--keep-billing",
    is_flag=True,
    help="Keep the records of charges, where the law of bookkeeping asks for them.",
)
@click.option("--json", "raw", is_flag=True, help="Print JSON.")
def delete(
    *,
    conv_id: str,
    adv_id: str,
    msg_id: str,
    ctx_id: str,
    session_id: str,
    dry_run: bool,
    keep_billing: bool,
    raw: bool,
) -> None:
    """Erase one subject, server up or down, and prove it by reading every file that is left.

    Exit code 1 if something of it was found afterwards: the request stays open, and the nightly
    run or this command again finishes it.
    """
    with pipelines_extra():
        from pipelines_dagster.defs.gdpr import erase as pipeline  # noqa: PLC0415
        from pipelines_dagster.defs.gdpr.subject import subject_of  # noqa: PLC0415
        from pipelines_dagster.settings import load_pipeline_settings  # noqa: PLC0415
    settings = load_pipeline_settings()
    if dry_run:
        subject = subject_of(conv_id, adv_id, msg_id, ctx_id, session_id)
        steps = pipeline.dry_run(settings, subject, keep_billing)
        _print([vars(step) for step in steps], raw, "nothing was changed")
        return
    done = pipeline.erase(
        settings,
        conv_id=conv_id,
        adv_id=adv_id,
        msg_id=msg_id,
        ctx_id=ctx_id,
        session_id=session_id,
        keep_billing=keep_billing,
    )
    verdict = "erased" if done.done else "NOT erased, the request stays open"
    _print([vars(step) for step in done.steps], raw, f"{done.number} {verdict}")
    if not done.done:
        raise click.exceptions.Exit(1)


@gdpr.command()
@click.argument("number", default="")
@click.option("--json", "raw", is_flag=True, help="Print JSON.")
def status(number: str, raw: bool) -> None:
    """List requests, or show what was recorded of request NUMBER."""
    with pipelines_extra():
        from pipelines_dagster.defs.gdpr import audit, requests  # noqa: PLC0415
        from pipelines_dagster.settings import load_pipeline_settings  # noqa: PLC0415
    lake = load_pipeline_settings().open_lake()
    if number:
        _print(audit.of_request(lake, number), raw, number)
        return
    rows = [{**row, "subject": "", "links": ""} for row in requests.history(lake)]
    if raw:
        click.echo(json.dumps(rows, indent=2))
        return
    cells = [(row["request"], row["kind"], row["state"], _when(row["at"])) for row in rows]
    click.echo(table(("request", "kind", "state", "when"), cells) if cells else "none")


def _print(steps: list[dict[str, Any]], raw: bool, verdict: str) -> None:
    if raw:
        click.echo(json.dumps({"verdict": verdict, "places": steps}, indent=2, default=str))
        return
    cells = [
        (
            str(step["place"]),
            "kept" if step["kept"] else str(step["removed"]),
            str(step["blanked"]),
            str(step["files"]),
            f"{step['before']}..{step['after']}" if step["after"] >= 0 else "",
            str(step["scanned"]),
            str(step["found"]),
            str(step["note"]),
        )
        for step in steps
    ]
    click.echo(printable(table(_HEAD, cells)) if cells else "nothing is stored of it")
    click.echo(verdict)


def _when(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
