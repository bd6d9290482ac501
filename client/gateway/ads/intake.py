# SPDX-License-Identifier: Apache-2.0
"""A creative's way in: no personal data, nothing the guard blocks, then the database.

An ad is read out by a model to strangers, and the output filter masks contacts in replies anyway:
so a shop's telephone is refused like a person's. It belongs on the page the ad leads to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bls.ads import creatives
from bls.ads.database import read
from bls.ads.records import Checked, CreativeRecord, NewCreative, checked_of
from bls.errors import SkynetError
from bls.guard.ruling import Ruling
from bls.guard.scrub import scrub
from client.gateway.ads.caller import Caller, not_yours
from client.gateway.ads.desk import AdDesk


async def take_in(
    desk: AdDesk, caller: Caller, given: Sequence[NewCreative]
) -> list[CreativeRecord]:
    """All of them stored, or none. While the guard is away they are stored as waiting.

    Raises:
        SkynetError: `pii_in_ad`, `ad_blocked` (422), naming the creative in `param`; `forbidden`,
            `name_not_yours` (403); what `AdStore.put_creatives` raises.
    """
    await desk.run(lambda: _owned(desk, caller, given))
    await desk.run(lambda: _no_personal_data(given))
    rulings = await desk.rulings([new.text for new in given])
    judged = list(given) if rulings is None else _judged(given, rulings)
    return await desk.run(lambda: desk.store.put_creatives(judged))


def _owned(desk: AdDesk, caller: Caller, given: Sequence[NewCreative]) -> None:
    for name in {new.campaign_id for new in given}:
        campaign = desk.store.campaign(name)
        if campaign is None:
            raise SkynetError("unknown_campaign", "There is no such campaign.", 404, "campaign_id")
        caller.may(campaign.advertiser)
    places = {new.msg_id: place for place, new in enumerate(given)}
    new_names = [name for name in places if not caller.may_name(name)]
    known = read(desk.engine, lambda connection: creatives.found(connection, new_names))
    for name in new_names:
        if name not in known:
            raise not_yours(f"creatives.{places[name]}.msg_id")


def _no_personal_data(given: Sequence[NewCreative]) -> None:
    for place, new in enumerate(given):
        if found := sorted(scrub(new.text).found):
            message = f"An ad may not hold personal data or contacts: {', '.join(found)}."
            raise SkynetError("pii_in_ad", message, 422, f"creatives.{place}.text")


def _judged(given: Sequence[NewCreative], rulings: Sequence[Ruling]) -> list[NewCreative]:
    for place, ruling in enumerate(rulings):
        if checked_of(ruling) is Checked.BLOCKED:
            message = f"The guard blocks this ad: {ruling.reason or 'policy'}."
            raise SkynetError("ad_blocked", message, 422, f"creatives.{place}.text")
    return [
        dataclasses.replace(new, checked=checked_of(ruling), reason=ruling.reason)
        for new, ruling in zip(given, rulings, strict=True)
    ]
