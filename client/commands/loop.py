# SPDX-License-Identifier: Apache-2.0
"""`skynet traffic` and `skynet loop`: simulated users on a running server, and the whole circle.

What needs the pipelines extra is imported when a command runs.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bls.errors import SkynetError
from client.commands.extra import pipelines_extra
from client.commands.options import url_option
from client.commands.pipelines import end_on_sigterm
from client.table import table

if TYPE_CHECKING:
    from pipelines_dagster.traffic.report import TrafficReport

concurrency_option = click.option(
    "--concurrency", type=int, default=4, show_default=True, help="Replies at a time."
)
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Of chats, bids and readers."
)
scenario_option = click.option(
    "--scenario", default="regimes", show_default=True, help="Market the competitors bid in."
)


@click.command()
@click.option("--seconds", type=float, default=60.0, show_default=True)
@click.option("--replies", type=int, default=1_000_000, help="End after so many.")
@concurrency_option
@seed_option
@scenario_option
@click.option("--clicks/--no-clicks", default=True, help="Let readers react.")
@url_option
def traffic(
    *,
    seconds: float,
    replies: int,
    concurrency: int,
    seed: int,
    scenario: str,
    clicks: bool,
    url: str,
) -> None:
    """Drive a running server with simulated users, competitors and readers.

    The campaigns are the server's own (SKYNET_CAMPAIGNS). Exit code 1 if a request failed.
    """
    with pipelines_extra():
        from bls.campaigns import DEFAULT_FILE  # noqa: PLC0415
        from bls.settings import load_settings  # noqa: PLC0415
        from pipelines_dagster.traffic.drive import drive  # noqa: PLC0415
        from pipelines_dagster.traffic.plan import TrafficPlan  # noqa: PLC0415
        from pipelines_dagster.traffic.report import TrafficReport  # noqa: PLC0415

    plan = TrafficPlan(
        seconds=seconds,
        replies=replies,
        concurrency=concurrency,
        seed=seed,
        scenario=scenario,
        clicks=clicks,
        campaigns=Path(load_settings().campaigns or DEFAULT_FILE),
    )
    report, stop = TrafficReport(), threading.Event()
    watcher = threading.Thread(target=_progress, args=(report, seconds, stop), daemon=True)
    watcher.start()
    try:
        drive(url, plan, report)
    finally:
        stop.set()
        watcher.join()
    click.echo(table(("traffic", ""), report.rows()))
    if report.failures or not report.replies:
        raise click.exceptions.Exit(1)


def _progress(report: TrafficReport, seconds: float, stop: threading.Event) -> None:
    """A line on stderr, every second rewritten on a terminal, every ten in a file."""
    began, live = time.monotonic(), sys.stderr.isatty()
    while not stop.wait(1.0 if live else 10.0):
        line = (
            f"[{time.monotonic() - began:5.0f} of {seconds:.0f} s] {report.replies} replies, "
            f"{report.tokens} tokens, {report.failures} failed"
        )
        click.echo(f"\r{line}" if live else line, err=True, nl=not live)
    if live:
        click.echo(err=True)


@click.command()
@click.option("--minutes", type=float, default=5.0, show_default=True, help="Of the whole.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for everything; by default a temporary one.",
)
@click.option("--url", help="Use this running server, of the same settings; see docs/pipelines.md.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw the chart.")
@concurrency_option
@seed_option
@scenario_option
def loop(
    *,
    minutes: float,
    state: Path | None,
    url: str | None,
    svg: Path | None,
    concurrency: int,
    seed: int,
    scenario: str,
) -> None:
    """Run the whole circle once: traffic, lake, training, gate, canary, promotion.

    A degraded champion is replaced by a better challenger, and a bad challenger is stopped, live.
    Traffic and training share the machine. Exit code 1 if a promise fails.
    """
    with pipelines_extra():
        from pipelines_dagster.loop.budget import Budget  # noqa: PLC0415
        from pipelines_dagster.loop.rehearse import rehearse  # noqa: PLC0415
        from pipelines_dagster.loop.report import as_svg, as_text  # noqa: PLC0415
        from pipelines_dagster.settings import load_pipeline_settings  # noqa: PLC0415
        from pipelines_dagster.traffic.plan import TrafficPlan  # noqa: PLC0415

    end_on_sigterm()
    settings = load_pipeline_settings()
    budget = Budget(minutes)
    plan = TrafficPlan(
        concurrency=concurrency, seed=seed, scenario=scenario, rivals=(1, 2), tokens=(24, 40)
    )
    if url:
        if state is not None:
            raise SkynetError("bad_option", "A running server has its state already.", 400)
        plan = dataclasses.replace(plan, campaigns=Path(settings.serving.campaigns or _packaged()))
    with tempfile.TemporaryDirectory(prefix="skynet-loop-") as folder:
        if not url:
            serving = dataclasses.replace(settings.serving, state=state or Path(folder))
            settings = dataclasses.replace(settings, serving=serving)
        found = rehearse(settings, budget, plan, _shown(), url=url or "")
    click.echo(as_text(found))
    if svg is not None:
        svg.write_text(as_svg(found), encoding="utf-8")
        click.echo(f"chart: {svg}")
    if not found.kept:
        raise click.exceptions.Exit(1)


def _packaged() -> Path:
    from bls.campaigns import DEFAULT_FILE  # noqa: PLC0415

    return DEFAULT_FILE


def _shown() -> Callable[[str, str], None]:
    """Prints steps to stderr with the seconds since the first."""
    began = time.monotonic()

    def show(step: str, text: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f} s] {step:<14} {text}", err=True)

    return show
