# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom traffic`: sessions of our own drivers, into a file or into a gateway.

What needs the pipelines extra is imported when a command runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bls.errors import SkynetError, invalid
from bls.phantom.session import MODES, Mode, Session
from client.commands.extra import pipelines_extra
from client.commands.progress import progress_bar
from client.table import table

if TYPE_CHECKING:
    from pipelines_dagster.phantom.traffic.driver import Driver
    from pipelines_dagster.phantom.traffic.plan import Ground
    from pipelines_dagster.phantom.traffic.tally import Tally


@click.command()
@click.option("--sessions", type=click.IntRange(1, 10_000_000), required=True, help="How many.")
@click.option(
    "--mode", type=click.Choice(MODES), default="hotel", show_default=True, help="Which shop."
)
@click.option("--drivers", help="Names, with commas between.", show_default="all but llm")
@click.option(
    "--grounds",
    type=click.Choice(["events", "browser"]),
    default="events",
    show_default=True,
    help="A shop in memory, or a real browser in a running shop.",
)
@click.option("--shop", help="Address of the running shop, for the browser.")
@click.option("--llm", help="Address of a gateway: its model drives `llm`.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the browser: 10 thinks and hovers for a tenth of the time; records say the whole.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSONL(.gz) to write.")
@click.option(
    "--post",
    help="Address of a gateway to send them to, labelled synthetic; of a browser's the label only.",
)
def traffic(
    *,
    sessions: int,
    mode: Mode,
    drivers: str | None,
    grounds: str,
    shop: str | None,
    llm: str | None,
    seed: int,
    speed: float,
    out: Path | None,
    post: str | None,
) -> None:
    """Make sessions of shopping agents and of person-like visitors.

    They are synthetic, whatever they imitate, and are recorded as that (docs/phantom_traffic.md).
    The same seed makes the same sessions on the shop in memory. Exit code 1 if a session failed.
    """
    if (out is None) == (post is None):
        raise invalid("bad_option", "Give one of --out and --post.", "out")
    if (grounds == "browser") != (shop is not None):
        raise invalid("bad_option", "--shop belongs to --grounds browser.", "shop")
    with pipelines_extra():
        from bls.phantom.recorded import write_sessions  # noqa: PLC0415
        from pipelines_dagster.phantom.traffic import plan  # noqa: PLC0415
        from pipelines_dagster.phantom.traffic.post import Poster  # noqa: PLC0415
        from pipelines_dagster.phantom.traffic.tally import HEAD, Tally  # noqa: PLC0415

    tally, driven = Tally(), _drivers(drivers, llm)
    with ExitStack() as stack:
        ground = _ground(stack, mode, shop, speed)
        made = plan.traffic(ground, driven, sessions, seed, tally.failed)
        shown = _shown(made, sessions, tally)
        if out is not None:
            write_sessions(out, shown)
        else:
            poster = Poster(str(post), label_only=shop is not None)
            for session in shown:
                poster.send(session)
    click.echo(table(HEAD, tally.rows()))
    for code, times in sorted(tally.failed.items()):
        click.echo(f"{times} sessions ended by {code}", err=True)
    if tally.failed:
        raise click.exceptions.Exit(1)


def _drivers(names: str | None, llm: str | None) -> list[Driver]:
    """Raises `unknown_driver`, `bad_option`."""
    from pipelines_dagster.phantom.traffic.agents.llm import LLMShopper  # noqa: PLC0415
    from pipelines_dagster.phantom.traffic.drivers import drivers, named  # noqa: PLC0415
    from pipelines_dagster.phantom.traffic.model import GatewayChooser  # noqa: PLC0415

    told = [name.strip() for name in names.split(",")] if names else [*drivers()]
    if (LLMShopper.name in told) > (llm is not None):
        raise invalid("bad_option", "The driver llm needs --llm, a gateway's address.", "llm")
    found: list[Driver] = list(named([name for name in told if name != LLMShopper.name]))
    if llm is not None and (names is None or LLMShopper.name in told):
        found.append(LLMShopper(GatewayChooser(llm)))
    return found


def _ground(stack: ExitStack, mode: Mode, shop: str | None, speed: float) -> Ground:
    from bls.phantom.shop import catalogue  # noqa: PLC0415
    from pipelines_dagster.phantom.traffic.event_ground import EventGround  # noqa: PLC0415

    if shop is None:
        return EventGround(catalogue(mode))
    try:
        from pipelines_dagster.phantom.traffic.browser_ground import (  # noqa: PLC0415
            BrowserGround,
        )
    except ModuleNotFoundError:
        raise SkynetError("no_browser", "This needs playwright and chromium.", 500) from None
    return stack.enter_context(BrowserGround(catalogue(mode), shop, speed=speed))


def _shown(made: Iterator[Session], sessions: int, tally: Tally) -> Iterator[Session]:
    """Passes them on, counting and moving the bar."""
    with progress_bar("sessions") as show:
        for number, session in enumerate(made, 1):
            tally.push(session)
            show(number / sessions, session.origin)
            yield session
