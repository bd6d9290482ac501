# SPDX-License-Identifier: Apache-2.0
"""Products to creatives, a batch at a time: worded, scrubbed, judged, stored, embedded.

The order is the safe one: nothing is stored unjudged, nothing is embedded that may not be shown.
A batch whose work is stored already costs one read, so an import that was cut off is just run
again; the same file twice changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import Checked, CreativeRecord, NewCreative
from bls.errors import SkynetError
from bls.guard.scrub import scrub
from client.intake.faults import Fault
from client.intake.judge import Judge, Judged, verdicts
from client.intake.product import Product
from client.intake.report import Report
from client.intake.shelf import Shelf
from client.intake.terms import Terms
from client.intake.wording import Counter, ad_text, fit

BATCH = 64
SAMPLES = 3
Embed = Callable[[Mapping[tuple[str, int], str]], Mapping[tuple[str, int], NDArray[np.float32]]]

_FAULTS = {"msg_deleted": Fault.DELETED, "msg_taken": Fault.TAKEN}


class Rewrite(Protocol):
    """Ad texts of products by another model; see `client.intake.rewrite`."""

    def __call__(self, products: Sequence[Product], report: Report) -> Mapping[str, str]:
        """Texts by msg_id; a product without one keeps the template's."""


@dataclass(frozen=True)
class Means:
    """What an import works with. `rewrite` None words every ad by the template."""

    shelf: Shelf
    judge: Judge
    embed: Embed
    tokens: Counter
    rewrite: Rewrite | None = None


class Importer:
    """One import; `report` is live.

    Args:
        dry_run: judge, but store, embed and rewrite nothing.
        batch: products a transaction.
    """

    def __init__(
        self,
        means: Means,
        terms: Terms,
        report: Report,
        *,
        dry_run: bool = False,
        batch: int = BATCH,
    ) -> None:
        self.report = report
        self._batch = batch
        self._means, self._terms, self._dry_run = means, terms, dry_run
        self._seen: set[str] = set()

    def run(self, products: Iterable[Product], after: Callable[[], None] = lambda: None) -> Report:
        """Take all of them; `after` is called behind every batch.

        Raises `ads_unavailable` with what came before stored.
        """
        began = time.monotonic()
        waiting = iter(products)
        while batch := list(islice(waiting, self._batch)):
            self._take(self._once(batch))
            self.report.seconds = time.monotonic() - began
            after()
        self.report.seconds = time.monotonic() - began
        return self.report

    def _once(self, batch: list[Product]) -> dict[str, Product]:
        """By msg_id; of two rows of one id the first counts."""
        kept: dict[str, Product] = {}
        for product in batch:
            if product.msg_id in self._seen:
                self.report.leave_out(product.line, Fault.TWICE)
            else:
                self._seen.add(product.msg_id)
                kept[product.msg_id] = product
        return kept

    def _take(self, products: dict[str, Product]) -> None:
        known = self._means.shelf.found(list(products))
        for msg_id, record in known.items():
            if record.deleted or record.advertiser != products[msg_id].advertiser:
                fault = Fault.DELETED if record.deleted else Fault.TAKEN
                self.report.leave_out(products.pop(msg_id).line, fault)
        owners = dict(self._means.shelf.owners())
        for msg_id, product in list(products.items()):
            owner = owners.setdefault(self._terms.campaign_id(product), product.advertiser)
            if owner != product.advertiser:
                self.report.leave_out(products.pop(msg_id).line, Fault.CAMPAIGN)
        texts = self._texts(products)
        judged = self._judged(texts, known)
        if self._dry_run:
            self._forecast(products, texts, judged, known)
        elif products:
            self._store(products, texts, judged, known)

    def _texts(self, products: Mapping[str, Product]) -> dict[str, str]:
        tokens, rewrite = self._means.tokens, self._means.rewrite
        texts = {name: ad_text(product, tokens) for name, product in products.items()}
        if rewrite is not None and not self._dry_run:
            texts |= rewrite(list(products.values()), self.report)
        for name, text in texts.items():
            clean = scrub(text)
            self.report.scrubbed.update(clean.found)
            texts[name] = fit(clean.text, tokens) if clean.found else text
        return texts

    def _judged(
        self, texts: Mapping[str, str], known: Mapping[str, CreativeRecord]
    ) -> dict[str, Judged]:
        """Verdicts by msg_id; a text that was judged before keeps the one it has."""
        found, new = {}, []
        for name, text in texts.items():
            before = known.get(name)
            if _settled(before, text):
                found[name] = Judged(before.checked, before.reason)
            else:
                new.append(name)
        asked = verdicts(self._means.judge, [texts[name] for name in new])
        return found | dict(zip(new, asked, strict=True))

    def _store(
        self,
        products: Mapping[str, Product],
        texts: Mapping[str, str],
        judged: Mapping[str, Judged],
        known: Mapping[str, CreativeRecord],
    ) -> None:
        shelf = self._means.shelf
        self._campaigns(products.values())
        given = []
        for name, product in products.items():
            text, said = texts[name], judged[name]
            if _settled(known.get(name), text):
                said = Judged(Checked.WAITING)  # as stored: it may be blocked by now
            campaign = self._terms.campaign_id(product)
            given.append(NewCreative(name, campaign, text, said.checked, said.reason))
        stored: list[CreativeRecord] = []
        for product, record in zip(products.values(), shelf.put(given), strict=True):
            if isinstance(record, SkynetError):
                self.report.leave_out(product.line, _FAULTS.get(record.code, Fault.NOT_STORED))
                continue
            stored.append(record)
            before = known.get(record.msg_id)
            said = Judged(record.checked, record.reason)
            self._count(product.line, said, before, before == record)
        wanted = {
            (one.msg_id, one.version): one.text
            for one in stored
            if one.checked is Checked.OK and one.embedding is None
        }
        self.report.embedded += shelf.embed(self._means.embed(wanted))

    def _campaigns(self, products: Iterable[Product]) -> None:
        by_name = {self._terms.campaign_id(product): product for product in products}
        missing = sorted(by_name.keys() - self._means.shelf.owners().keys())
        made = [self._terms.record(by_name[name]) for name in missing]
        whose = {product.advertiser for product in by_name.values()}
        self._means.shelf.add_campaigns(made, whose, self._terms.daily_micros)
        self.report.campaigns += len(missing)

    def _forecast(
        self,
        products: Mapping[str, Product],
        texts: Mapping[str, str],
        judged: Mapping[str, Judged],
        known: Mapping[str, CreativeRecord],
    ) -> None:
        """Count as `_store` would."""
        for name, product in products.items():
            before = known.get(name)
            campaign = self._terms.campaign_id(product)
            same = before is not None and (before.text, before.campaign_id) == (
                texts[name],
                campaign,
            )
            self._count(product.line, judged[name], before, same)
            if len(self.report.samples) < SAMPLES:
                self.report.samples.append(texts[name])

    def _count(self, line: int, judged: Judged, before: CreativeRecord | None, same: bool) -> None:
        if judged.checked is Checked.WAITING:
            self.report.waiting += 1
        elif judged.checked is Checked.BLOCKED:
            self.report.refuse(line, judged.reason)
        elif before is None:
            self.report.added += 1
        elif same:
            self.report.unchanged += 1
        else:
            self.report.changed += 1


def _settled(before: CreativeRecord | None, text: str) -> TypeGuard[CreativeRecord]:
    """Whether this very text was judged before."""
    return before is not None and before.text == text and before.checked is not Checked.WAITING
