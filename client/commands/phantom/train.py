# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom train`: one pricing policy, in a folder that `export.session_price` reads."""

from __future__ import annotations

from pathlib import Path

import click

from client.commands.extra import pipelines_extra
from client.commands.progress import progress_bar
from client.table import table

TIERS = ("static", "surge", "linear", "qtable", "ppo", "a2c", "dqn")
ROBUST = ("none", "grid", "w1", "conditional")


@click.command()
@click.option("--tier", type=click.Choice(TIERS), default="ppo", show_default=True)
@click.option("--robust", type=click.Choice(ROBUST), default="conditional", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--timesteps", type=int, default=4000, show_default=True, help="Market steps.")
@click.option("--information", type=click.Choice(("constant", "premium")), default="constant")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
def train(
    *, tier: str, robust: str, seed: int, timesteps: int, information: str, out: Path
) -> None:
    """Train one pricing policy on the simulated market and measure it against base prices."""
    with pipelines_extra():
        from pipelines_dagster.phantom.market.config import MarketConfig  # noqa: PLC0415
        from pipelines_dagster.phantom.policies.make import make  # noqa: PLC0415
        from pipelines_dagster.phantom.policies.policy import Origin  # noqa: PLC0415
        from pipelines_dagster.phantom.policies.train import TrainPlan  # noqa: PLC0415

    plan = TrainPlan(
        Origin(tier, robust, seed, timesteps),  # type: ignore[arg-type]  # a choice
        MarketConfig(information=information),  # type: ignore[arg-type]
    )
    with progress_bar(f"{tier} {robust}") as show:
        metrics = make(plan, out, show)
    click.echo(table(("figure", ""), [(name, f"{value:+.4f}") for name, value in metrics.items()]))
