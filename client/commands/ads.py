# SPDX-License-Identifier: Apache-2.0
"""What every command on creatives shares: the database of these settings, and completion.

What needs the database's driver is imported when it runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from bls.errors import SkynetError
from bls.settings import Settings, load_settings

if TYPE_CHECKING:
    from bls.ads.records import CreativeRecord
    from bls.ads.store import AdStore
    from client.intake.shelf import Shelf

_OFFERED = 50
_PAGE = 1_000


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Shelf]:
    """Campaigns and creatives of the local stack. Raises `bad_setting`, `ads_unavailable`."""
    from bls.ads.database import open_database  # noqa: PLC0415  (slow)
    from bls.ads.migrate import migrate  # noqa: PLC0415
    from client.intake.shelf import Shelf  # noqa: PLC0415

    engine = open_database(settings.database_url, settings.database_password)
    try:
        migrate(engine)
        yield Shelf(engine)
    finally:
        engine.dispose()


def living(store: AdStore, advertiser: str = "") -> Iterator[CreativeRecord]:
    """Every creative that is not deleted, oldest change first; read page by page."""
    after = 0
    while True:
        if advertiser:
            page = store.creatives_of(advertiser, after, _PAGE)
        else:
            page = store.creatives(after, _PAGE)
        yield from (record for record in page if not record.deleted)
        if len(page) < _PAGE:
            return
        after = page[-1].seq


def complete_creative(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of living creatives."""
    return _offered(incomplete, lambda store: (one.msg_id for one in living(store)))


def complete_advertiser(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of advertisers with campaigns."""
    return _offered(incomplete, lambda store: (one.advertiser for one in store.campaigns()))


def complete_campaign(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of campaigns."""
    return _offered(incomplete, lambda store: (one.campaign_id for one in store.campaigns()))


def _offered(incomplete: str, names: Callable[[AdStore], Iterator[str]]) -> list[CompletionItem]:
    found: dict[str, None] = {}
    with contextlib.suppress(SkynetError), opened(load_settings()) as shelf:
        for name in names(shelf.store):
            if name.startswith(incomplete):
                found[name] = None
            if len(found) == _OFFERED:
                break
    return [CompletionItem(name) for name in sorted(found)]
