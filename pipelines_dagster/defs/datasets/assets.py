# SPDX-License-Identifier: Apache-2.0
"""`silver/*` and `gold/*`: thin; what they do is in `refresh`, `gold` and `publish`.

Dagster reads the annotations of a configuration: they are not postponed here.
"""

from datetime import timedelta
from pathlib import Path

import dagster as dg

from bls.errors import SkynetError
from pipelines_dagster.defs.datasets.engine import engine_of
from pipelines_dagster.defs.datasets.gold import PREDICTOR, SOURCES, TVE, GoldOptions, freeze
from pipelines_dagster.defs.datasets.publish import publish
from pipelines_dagster.defs.datasets.recipe import Recipe
from pipelines_dagster.defs.datasets.refresh import refresh
from pipelines_dagster.defs.datasets.tables import recipes
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import PipelineSettings

GROUP = "datasets"
FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=24), warn_window=timedelta(hours=12)
)
AGAIN = dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL)


class GoldConfig(dg.Config):
    """See `GoldOptions`."""

    days: int = 90
    rows: int = 5_000_000
    held: float = 0.1
    settle_s: float = 0.0


def key_of(table: str) -> dg.AssetKey:
    """The asset of a table `layer/name`."""
    return dg.AssetKey(table.split("/"))


def gold_root(settings: PipelineSettings) -> Path:
    """Local folder of the training sets: in a folder lake, else beside the other state."""
    if settings.lake_root.startswith("s3://"):
        return settings.serving.state / "gold"
    return Path(settings.lake_root) / "gold"


def _silver(recipe: Recipe) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(recipe.table),
        deps=[key_of(source.table) for source in recipe.sources],
        group_name=GROUP,
        kinds={"polars", "deltalake"},
        freshness_policy=FRESH,
        retry_policy=AGAIN,
        pool="silver",
        description=recipe.about,
    )
    def made(pipelines: Pipelines) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = pipelines.settings()
        done = refresh(settings.open_lake(), recipe, engine_of(settings.ray))
        return dg.MaterializeResult(
            metadata={
                "table_version": -1 if done.version is None else done.version,
                "days": list(done.days),
                "dagster/row_count": done.rows,
            }
        )

    return made


def _gold(name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey(["gold", name]),
        deps=[key_of(table) for table in SOURCES[name]],
        group_name=GROUP,
        kinds={"polars", "parquet"},
        retry_policy=AGAIN,
    )
    def made(pipelines: Pipelines, config: GoldConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """A frozen training set; its version is the hash of what is in it."""
        settings = pipelines.settings()
        options = GoldOptions(config.days, config.rows, config.held, config.settle_s)
        try:
            frozen = freeze(settings.open_lake(), name, gold_root(settings), options)
        except SkynetError as fault:
            again = fault.code not in ("no_table", "dataset_empty")
            raise dg.Failure(f"{fault.code}: {fault.message}", allow_retries=again) from None
        publish(settings, name, frozen.folder)
        return dg.MaterializeResult(
            metadata={
                "version": frozen.folder.name,
                "content_sha256": frozen.card["content_sha256"],
                "rows": frozen.card["rows"],
                "held_rows": frozen.card["held_rows"],
                "lake": frozen.card["lake"],
                "offsets": frozen.card["offsets"],
                "fresh": frozen.fresh,
            },
            data_version=dg.DataVersion(frozen.folder.name),
        )

    return made


ASSETS = [*map(_silver, recipes().values()), _gold(PREDICTOR), _gold(TVE)]
