# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom bench`: pricing policies over shares of agents, paired seeds, tables, plots."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from client.commands.extra import pipelines_extra
from client.commands.phantom.train import ROBUST, TIERS
from client.commands.progress import progress_bar

Words = tuple[str, ...]


def _words(known: Words) -> Callable[[click.Context, click.Parameter, str], Words]:
    def split(context: click.Context, parameter: click.Parameter, text: str) -> Words:
        words = tuple(word.strip() for word in text.split(","))
        if odd := [word for word in words if word not in known]:
            raise click.BadParameter(f"{odd[0]!r} is none of {', '.join(known)}")
        return words

    return split


def _numbers(context: click.Context, parameter: click.Parameter, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise click.BadParameter("numbers, with commas between them") from None


def _line(share: float, note: str) -> None:
    click.echo(f"[{share:4.0%}] {note}", err=True)


@click.command()
@click.option("--tiers", default=",".join(TIERS), show_default=True, callback=_words(TIERS))
@click.option("--robust", default=",".join(ROBUST), show_default=True, callback=_words(ROBUST))
@click.option("--alpha-values", default="0,0.2,0.4,0.6,0.8,1", show_default=True, callback=_numbers)
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--timesteps", type=int, default=4000, show_default=True, help="Market steps each.")
@click.option("--episodes", type=int, default=4, show_default=True, help="Judged at each share.")
@click.option("--wide", type=int, default=100, show_default=True, help="Products of the slope.")
@click.option("--information", type=click.Choice(("constant", "premium")), default="constant")
@click.option(
    "--workers",
    default="local",
    show_default=True,
    help="local: this process; ray: a cluster (SKYNET_PIPELINES_RAY, else one started here).",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--mlflow", is_flag=True, help="Log to the registry of the settings too.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also put the tables into this page, between its marks, and the plot beside it.",
)
def bench(
    *,
    tiers: Any,
    robust: Any,
    alpha_values: tuple[float, ...],
    seeds: int,
    timesteps: int,
    episodes: int,
    wide: int,
    information: Any,
    workers: str,
    out: Path,
    mlflow: bool,
    write: Path | None,
) -> None:
    """Train and judge pricing policies, plain and robust, over shares of agents."""
    with pipelines_extra():
        from pipelines_dagster.phantom.bench.page import write_into  # noqa: PLC0415
        from pipelines_dagster.phantom.bench.plan import BenchPlan  # noqa: PLC0415
        from pipelines_dagster.phantom.bench.report import log_report, write_report  # noqa: PLC0415
        from pipelines_dagster.phantom.bench.run import run  # noqa: PLC0415
        from pipelines_dagster.phantom.bench.work import here, on_ray  # noqa: PLC0415
        from pipelines_dagster.phantom.market.config import MarketConfig  # noqa: PLC0415
        from pipelines_dagster.settings import load_pipeline_settings  # noqa: PLC0415

    settings = load_pipeline_settings()
    plan = BenchPlan(
        tiers,
        robust,
        alpha_values,
        seeds,
        timesteps,
        episodes,
        wide,
        MarketConfig(information=information),
    )
    if workers not in ("local", "ray"):
        raise click.BadParameter("local or ray", param_hint="--workers")
    each = here if workers == "local" else on_ray(settings.ray or "local")
    with progress_bar("bench") as show:
        results = run(plan, each, show if sys.stderr.isatty() else _line)
    text, files = write_report(out, plan, results)
    if write is not None:
        write_into(write, text, f"bench {information}")
        beside = write.with_name(f"{write.stem}_{information}.svg")
        shutil.copyfile(files[-1], beside)
    click.echo(text)
    click.echo(f"written: {', '.join(str(path) for path in files)}")
    if mlflow:
        click.echo(f"mlflow run: {log_report(settings, plan, results, files)}")
