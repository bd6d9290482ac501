# SPDX-License-Identifier: Apache-2.0
"""`skynet creatives import`: a file of products becomes creatives; see docs/creatives.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bls.errors import SkynetError, invalid
from bls.request import NAME_PATTERN
from bls.settings import REPOSITORY, Settings, load_settings
from client.commands.ads import (
    complete_advertiser,
    complete_campaign,
    opened,
)
from client.commands.money import DOLLARS
from client.commands.progress import progress_bar
from client.palette import printable

if TYPE_CHECKING:
    from client.intake.columns import Columns
    from client.intake.importer import Rewrite
    from client.intake.product import Product
    from client.intake.report import Report
    from client.intake.shelf import Shelf
    from client.intake.table import Row, Table
    from client.intake.terms import Terms
    from client.intake.wording import ModelTokens

EXAMPLE = REPOSITORY / "client" / "catalogue.tsv"


def _mapping(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """`title=ad_title` -> {"title": "ad_title"}."""
    found = {}
    for value in values:
        field, equals, column = value.partition("=")
        if not equals or not column.strip():
            raise click.BadParameter(f"{value!r} is not FIELD=COLUMN")
        found[field.strip()] = column.strip()
    return found


def _name(ctx: click.Context, param: click.Parameter, value: str) -> str:
    import re  # noqa: PLC0415

    if value and not re.fullmatch(NAME_PATTERN, value):
        raise click.BadParameter("must be lower case letters, digits and _, at most 64")
    return value


def _category(ctx: click.Context, param: click.Parameter, value: str) -> str:
    from bls.guard.categories import CATEGORIES  # noqa: PLC0415

    if value and value not in CATEGORIES:
        raise click.BadParameter("must be one of " + ", ".join(sorted(CATEGORIES)))
    return value


@dataclass(frozen=True)
class _Wanted:
    """The words of the command that say what a row becomes."""

    mapping: dict[str, str]
    advertiser_column: str | None
    advertiser: str
    category: str
    limit: int


@click.command(name="import")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@click.option("--example", is_flag=True, help="Take the catalogue that comes with SkyNet.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    callback=_mapping,
    metavar="FIELD=COLUMN",
    help="Which column holds title, description, brand, website, category or id.",
)
@click.option("--advertiser-column", help="Whose the ad is; else brand, seller or website.")
@click.option(
    "--advertiser",
    default="",
    callback=_name,
    shell_complete=complete_advertiser,
    help="Whose every ad is, whatever the file says.",
)
@click.option(
    "--campaign",
    default="",
    shell_complete=complete_campaign,
    help="Put all into this campaign; else one of each advertiser and category.",
)
@click.option("--category", default="", callback=_category, help="What all of them sell.")
@click.option(
    "--bid",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="Opening weight per token of new campaigns.",
)
@click.option("--cpm", type=DOLLARS, help="What a thousand replies are worth to new campaigns.")
@click.option("--cpc", type=DOLLARS, help="What a response is worth to new campaigns.")
@click.option(
    "--budget",
    type=DOLLARS,
    help="What an advertiser without a budget may spend a day; else it has no limit.",
)
@click.option("--limit", type=click.IntRange(min=0), default=0, help="Read so many rows alone.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option(
    "--rewrite",
    metavar="URL",
    help="Have an OpenAI-compatible endpoint write the ads, such as http://HOST/v1.",
)
@click.option("--model", default="skynet", show_default=True, help="The endpoint's model.")
@click.option("--json", "raw", is_flag=True, help="Print JSON.")
def import_(
    *,
    file: Path | None,
    example: bool,
    mapping: dict[str, str],
    advertiser_column: str | None,
    advertiser: str,
    campaign: str,
    category: str,
    bid: float,
    cpm: int | None,
    cpc: int | None,
    budget: int | None,
    limit: int,
    dry_run: bool,
    rewrite: str | None,
    model: str,
    raw: bool,
) -> None:
    """Make creatives of the products in FILE: CSV or TSV, the first line names the columns.

    Every text is cleaned, scrubbed of personal data and judged before it is stored. The same file
    twice changes nothing. Exit code 1 if rows were left out; what the guard refuses is stored,
    never shown, and no error.
    """  # fmt: skip
    from client.intake.terms import Terms  # noqa: PLC0415

    if (file is None) != example:
        raise click.UsageError("Give one FILE, or --example.")
    terms = Terms(bid=bid, cpm_micros=cpm, cpc_micros=cpc, daily_micros=budget, campaign=campaign)
    wanted = _Wanted(mapping, advertiser_column, advertiser, category, limit)
    endpoint = (rewrite, model) if rewrite else None
    report = _import(file or EXAMPLE, wanted, terms, endpoint, dry_run)
    _print(report, dry_run, raw)
    if report.bad:
        raise click.exceptions.Exit(1)


def _import(
    file: Path,
    wanted: _Wanted,
    terms: Terms,
    endpoint: tuple[str, str] | None,
    dry_run: bool,
) -> Report:
    from client.intake.columns import find_columns  # noqa: PLC0415
    from client.intake.embed import Embedder  # noqa: PLC0415
    from client.intake.importer import Importer, Means  # noqa: PLC0415
    from client.intake.judge import guard_of  # noqa: PLC0415
    from client.intake.report import Report  # noqa: PLC0415
    from client.intake.table import Table  # noqa: PLC0415
    from client.intake.wording import ModelTokens  # noqa: PLC0415

    settings = load_settings()
    table = Table(file)
    columns = find_columns(table.header, wanted.mapping, wanted.advertiser_column)
    tokens = ModelTokens(settings.llm_folder())
    rewrite = _rewriter(settings, tokens, *endpoint) if endpoint else None
    report = Report()
    with opened(settings) as shelf, progress_bar("importing") as show:
        wanted = _of_campaign(shelf, terms.campaign, wanted)
        embed = Embedder()
        means = Means(shelf, guard_of(settings), embed, tokens, rewrite)
        try:
            reading = _Reading(table, columns, tokens.special, wanted)
            importer = Importer(means, terms, report, dry_run=dry_run)
            return importer.run(
                reading.products(report), lambda: show(reading.share, report.pace())
            )
        finally:
            embed.close()


def _of_campaign(shelf: Shelf, campaign: str, wanted: _Wanted) -> _Wanted:
    """Every row is of the campaign's advertiser. Raises `unknown_campaign`, `campaign_taken`."""
    if not campaign:
        return wanted
    record = shelf.store.campaign(campaign)
    if record is None:
        if not wanted.advertiser:
            why = "There is no such campaign; say whose it shall be: --advertiser NAME."
            raise SkynetError("unknown_campaign", why, 404, "--campaign")
        return wanted
    if wanted.advertiser not in ("", record.advertiser):
        raise invalid("campaign_taken", "The campaign is another advertiser's.", "--advertiser")
    return replace(wanted, advertiser=record.advertiser)


def _rewriter(settings: Settings, tokens: ModelTokens, url: str, model: str) -> Rewrite:
    from client.intake.endpoint import Endpoint  # noqa: PLC0415
    from client.intake.kept import KeptRewrites, rewrites_file  # noqa: PLC0415
    from client.intake.rewrite import Rewriter  # noqa: PLC0415

    endpoint = Endpoint(url, model, settings.rewrite_api_key)
    return Rewriter(endpoint, KeptRewrites(rewrites_file(settings.state)), tokens, tokens.special)


class _Reading:
    """The rows of a file as products. Attributes: share: of the file read so far."""

    def __init__(
        self, table: Table, columns: Columns, special: tuple[str, ...], wanted: _Wanted
    ) -> None:
        self.share = 0.0
        self._table, self._columns, self._special = table, columns, special
        self._wanted = wanted

    def products(self, report: Report) -> Iterator[Product]:
        """One at a time; a row that is none is counted."""
        from client.intake.faults import RowError  # noqa: PLC0415

        for number, row in enumerate(self._table, 1):
            self.share = row.share
            try:
                yield self._product(row)
            except RowError as error:
                report.leave_out(row.line, error.fault)
            if number == self._wanted.limit:
                return

    def _product(self, row: Row) -> Product:
        from client.intake.faults import RowError  # noqa: PLC0415
        from client.intake.product import product_of  # noqa: PLC0415

        if row.fault is not None:
            raise RowError(row.fault)
        return product_of(
            row.line,
            row.cells,
            self._columns,
            special=self._special,
            advertiser=self._wanted.advertiser,
            category=self._wanted.category,
        )


def _print(report: Report, dry_run: bool, raw: bool) -> None:
    if raw:
        said: dict[str, Any] = {"dry_run": dry_run} | report.as_json()
        click.echo(json.dumps(said, indent=2))
        return
    for line in report.text():
        click.echo(line)
    if dry_run:
        for sample in report.samples:
            click.echo(printable(f"  {sample}"))
        click.echo("nothing was changed")
