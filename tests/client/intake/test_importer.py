# SPDX-License-Identifier: Apache-2.0
"""Products become creatives: judged before they are stored, embedded when they may be shown, and
nothing happens twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bls.ads import plans
from bls.ads.database import read
from bls.ads.records import Checked, NewCreative, Status
from bls.contracts import Verdict
from bls.errors import SkynetError
from bls.guard.ruling import Ruling
from client.intake.check import check_all
from client.intake.embed import Embedder
from client.intake.importer import Importer, Means
from client.intake.report import Report
from client.intake.shelf import Shelf
from client.intake.terms import Terms
from tests.client.intake.conftest import BAD, judge, product

Take = Callable[..., Report]


def test_what_is_new_is_stored_judged_and_embedded(
    take: Take, shelf: Shelf, embed: Embedder
) -> None:
    report = take(product(1), product(2, description=f"It is {BAD}."), product(3))
    assert (report.added, report.rows, report.embedded) == (2, 3, 2)
    assert report.refused == {"toxic": 1} and report.lines["toxic"] == [3]
    good, bad = shelf.store.creative("brightwater.1"), shelf.store.creative("brightwater.2")
    assert good is not None and good.checked is Checked.OK and good.embedding is not None
    assert bad is not None and (bad.checked, bad.reason) == (Checked.BLOCKED, "toxic")
    assert bad.embedding is None, "what may not be shown is not embedded"
    made = embed({("x", 1): good.text})[("x", 1)]
    assert np.allclose(np.frombuffer(good.embedding, "<f2"), made, atol=1e-3)


def test_the_same_file_twice_changes_nothing(take: Take, shelf: Shelf) -> None:
    """A reader that follows `seq` sees what came, and nothing more the second time."""
    products = [
        product(number, description=f"x {BAD}" if number == 5 else "y") for number in range(9)
    ]
    first = take(*products)
    found = list(shelf.store.creatives())
    assert len(found) == 9 and {one.seq for one in found} == {one.seq for one in set(found)}
    newest = found[-1].seq
    second = take(*products)
    assert (second.added, second.changed, second.unchanged) == (0, 0, 8)
    assert first.refused == second.refused and second.embedded == 0
    assert shelf.store.creatives(newest) == []


def test_another_text_is_the_next_version(take: Take, shelf: Shelf) -> None:
    take(product(1), product(2))
    report = take(product(1, description="Now in green."), product(2))
    assert (report.added, report.changed, report.unchanged, report.embedded) == (0, 1, 1, 1)
    changed = shelf.store.creative("brightwater.1")
    assert changed is not None and changed.version == 2 and "green" in changed.text


def test_campaigns_are_made_once_on_the_given_terms(take: Take, shelf: Shelf) -> None:
    terms = Terms(bid=2.0, cpm_micros=3_000_000, cpc_micros=None, daily_micros=5_000_000)
    report = take(product(1), product(2, category="hotels"), product(3), terms=terms)
    assert report.campaigns == 2
    campaign = shelf.store.campaign("brightwater.hotels")
    assert campaign is not None and campaign.status is Status.ACTIVE
    assert (campaign.bid, campaign.cpm_micros, campaign.cpc_micros) == (2.0, 3_000_000, None)
    assert campaign.brand == "Brightwater" and campaign.category == "hotels"
    assert (
        shelf.store.funds(["brightwater"], campaign.start_ts)["brightwater"].left_micros
        == 5_000_000
    )
    assert take(product(4, category="hotels"), terms=replace(terms, bid=9.0)).campaigns == 0
    kept = shelf.store.campaign("brightwater.hotels")
    assert kept == campaign, "one that exists keeps its terms"


def test_an_advertiser_s_budget_is_not_touched(take: Take, shelf: Shelf) -> None:
    take(product(1), terms=Terms(daily_micros=1_000))
    take(product(2, category="hotels"), terms=Terms(daily_micros=9_000))
    found = read(shelf._engine, lambda made: plans.today(made, "brightwater", 0.0))
    assert found is not None and found.budget == 1_000
    take(product(3, brand="Free"))
    assert shelf.store.funds(["free"], 0.0)["free"].left_micros is None


def test_a_budget_comes_with_a_campaign_that_exists_too(take: Take, shelf: Shelf) -> None:
    take(product(1))
    take(product(1), terms=Terms(daily_micros=1_000))
    found = read(shelf._engine, lambda made: plans.today(made, "brightwater", 0.0))
    assert found is not None and found.budget == 1_000


def test_nothing_goes_into_the_campaign_of_another(take: Take, shelf: Shelf) -> None:
    """Not into one that is stored, and not into one that this file makes."""
    take(product(1), terms=Terms(campaign="summer"))
    other = product(2, brand="Somebody")
    report = take(other, product(3), terms=Terms(campaign="summer"))
    assert report.bad == {"campaign_of_another_advertiser": 1}
    assert report.lines["campaign_of_another_advertiser"] == [3] and report.added == 1
    report = take(other, product(4), terms=Terms(campaign="winter"))
    assert report.bad == {"campaign_of_another_advertiser": 1}
    assert {one.msg_id: one.campaign_id for one in shelf.store.creatives()} == {
        "brightwater.1": "summer",
        "brightwater.3": "summer",
        "somebody.2": "winter",
    }


def test_what_is_blocked_meanwhile_stays_blocked(
    means: Means, take: Take, shelf: Shelf, embed: Embedder
) -> None:
    take(product(1))

    class Meanwhile(Shelf):
        def found(self, names: Any) -> Any:
            known = super().found(names)
            self.store.judge("brightwater.1", 1, Checked.BLOCKED, "policy")
            return known

    late = replace(means, shelf=Meanwhile(shelf._engine))
    report = Importer(late, Terms(), Report()).run([product(1)])
    stored = shelf.store.creative("brightwater.1")
    assert stored is not None and (stored.checked, stored.reason) == (Checked.BLOCKED, "policy")
    assert report.refused == {"policy": 1} and report.unchanged == 0


def test_one_campaign_for_all(take: Take, shelf: Shelf) -> None:
    report = take(product(1), product(2, category="hotels"), terms=Terms(campaign="summer"))
    assert report.campaigns == 1
    assert {one.campaign_id for one in shelf.store.creatives()} == {"summer"}


def test_rows_that_cannot_be_stored_take_no_others_along(take: Take, shelf: Shelf) -> None:
    take(product(1), product(2))
    shelf.store.delete_creative("brightwater.1")
    other = replace(product(2), advertiser="somebody")
    report = take(product(1), other, product(3), product(3))
    assert report.bad == {
        "deleted_before": 1,
        "taken_by_another_advertiser": 1,
        "id_twice_in_file": 1,
    }
    assert (report.added, report.rows) == (1, 4)
    assert shelf.store.creative("brightwater.3") is not None


def test_what_another_process_does_meanwhile_costs_one_row(shelf: Shelf, take: Take) -> None:
    take(product(1))
    shelf.store.delete_creative("brightwater.1")
    stored = shelf.put(
        [NewCreative(f"brightwater.{n}", "brightwater.outdoors", "x") for n in (1, 2)]
        + [NewCreative("brightwater.3", "none", "x")]
    )
    assert [getattr(one, "code", "") for one in stored] == ["msg_deleted", "", "unknown_campaign"]


def test_personal_data_never_reaches_the_database(take: Take, shelf: Shelf) -> None:
    report = take(product(1, description="Write to jane.doe@gmail.com or call +44 20 7946 0958."))
    found = shelf.store.creative("brightwater.1")
    assert found is not None and "jane" not in found.text and "7946" not in found.text
    assert report.scrubbed == {"email": 1, "phone": 1}


def test_a_dry_run_changes_nothing(take: Take, shelf: Shelf) -> None:
    take(product(1))
    report = take(product(1), product(2), product(3, description=BAD), dry_run=True)
    assert (report.added, report.unchanged, report.refused.total()) == (1, 1, 1)
    assert len(report.samples) == 3 and report.embedded == 0
    assert len(shelf.store.creatives()) == 1


def test_an_import_that_was_cut_off_goes_on(means: Means, shelf: Shelf, embed: Embedder) -> None:
    """Killed between storing and embedding: what was judged is not judged again."""
    products = [product(number) for number in range(9)]
    asked: list[str] = []

    def judging(texts: Any) -> Any:
        asked.extend(texts)
        return judge(texts)

    def die(texts: Mapping[Any, str]) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Importer(replace(means, embed=die, judge=judging), Terms(), Report(), batch=4).run(products)
    half = len(asked)
    assert 0 < half < 9 and len(shelf.store.creatives()) == half
    report = Importer(replace(means, judge=judging), Terms(), Report(), batch=4).run(products)
    assert len(asked) == 9 and report.embedded == 9
    assert list(shelf.store.not_embedded()) == []


def test_a_database_that_is_away_is_an_error(means: Means, take: Take) -> None:
    class Away(Shelf):
        def found(self, names: Any) -> Any:
            raise SkynetError("ads_unavailable", "away", 503)

        def __init__(self) -> None:
            pass

    with pytest.raises(SkynetError, match="away"):
        Importer(replace(means, shelf=Away()), Terms(), Report()).run([product(1)])


def test_progress_is_told_after_every_batch(means: Means) -> None:
    told: list[int] = []
    report = Report()
    importer = Importer(means, Terms(), report, batch=2)
    importer.run((product(n) for n in range(5)), lambda: told.append(report.rows))
    assert told == [2, 4, 5]
    assert "a second" in report.pace()


def test_what_the_guard_could_not_judge_waits_unseen(
    take: Take, means: Means, shelf: Shelf
) -> None:
    """And is judged when the file comes again."""
    unsure = replace(means, judge=lambda texts: [Ruling(Verdict.BLOCKED, "unjudged")] * len(texts))
    report = Importer(unsure, Terms(), Report()).run([product(1)])
    assert (report.waiting, report.rows, report.embedded) == (1, 1, 0)
    assert not report.refused and any(line.startswith("waiting") for line in report.text())
    assert [one.msg_id for one in shelf.store.to_judge()] == ["brightwater.1"]
    again = take(product(1))
    assert (again.changed, again.embedded, again.refused.total()) == (1, 1, 0)


def test_what_waits_is_judged_and_embedded_later(take: Take, shelf: Shelf, embed: Embedder) -> None:
    take(product(1))
    waiting = [
        NewCreative(f"w{n}", "brightwater.outdoors", t) for n, t in enumerate(("a tent", BAD))
    ]
    shelf.store.put_creatives(waiting)
    shares: list[float] = []
    done = check_all(shelf.store, shelf.store.to_judge(), judge, embed, shares.append)
    assert (done.judged, done.changed, done.embedded) == (2, 2, 1)
    assert shares[-1] == 1.0
    everything = [one for one in shelf.store.creatives() if not one.deleted]
    stricter = check_all(
        shelf.store, everything, lambda t: judge([BAD] * len(t)), embed, shares.append
    )
    assert (stricter.judged, stricter.changed, stricter.embedded) == (3, 2, 0)


def test_texts_that_cannot_be_embedded_keep_no_others(
    take: Take, shelf: Shelf, embed: Embedder
) -> None:
    take(product(1))
    odd = [NewCreative(f"o{n}", "brightwater.outdoors", "\u200b", Checked.OK) for n in range(70)]
    shelf.store.put_creatives([*odd, NewCreative("z", "brightwater.outdoors", "x", Checked.OK)])
    assert check_all(shelf.store, [], judge, embed, lambda share: None).embedded == 1
    assert len(shelf.store.not_embedded()) == 70


def test_the_report_says_each_row_once() -> None:
    report = Report(added=1, seconds=2.0, campaigns=1, rewritten=2)
    for line in range(7):
        report.refuse(line, "toxic")
    report.not_rewritten["endpoint_busy"] += 1
    text = "\n".join(report.text())
    assert "line 0, 1, 2, 3, 4, ..." in text and "endpoint_busy" in text
    assert report.as_json()["rows"] == report.rows == 8
