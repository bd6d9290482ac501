# SPDX-License-Identifier: Apache-2.0
"""The erasure of one subject, everywhere; every step may be done again.

1. what belongs to the subject is looked up, and the request written down
2. tombstones, so that nothing comes back
3. caches, the serving host's billing records, the broker
4. every training set and table of the lake; models that learned from it are marked; debug streams
5. every file left is read; when nothing is found the request is closed and the id forgotten

A crash, or a place that does not answer, leaves the request open: `resume` finishes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines_dagster.defs.gdpr import audit, requests, tombstones
from pipelines_dagster.defs.gdpr.audit import Step
from pipelines_dagster.defs.gdpr.broker import cut_topics
from pipelines_dagster.defs.gdpr.copies import PLACE as COPIES
from pipelines_dagster.defs.gdpr.copies import drop_copies, drop_trainings
from pipelines_dagster.defs.gdpr.creatives import IndexHook, erased_creatives
from pipelines_dagster.defs.gdpr.gold import gold_sets, holds, remove
from pipelines_dagster.defs.gdpr.hubs import erase_windows
from pipelines_dagster.defs.gdpr.layers import erase_table, plan, tables
from pipelines_dagster.defs.gdpr.links import days_of, links_of
from pipelines_dagster.defs.gdpr.logs import erase_logs
from pipelines_dagster.defs.gdpr.models import invalidate
from pipelines_dagster.defs.gdpr.predicate import Keys
from pipelines_dagster.defs.gdpr.records import erase_ledger
from pipelines_dagster.defs.gdpr.requests import Request
from pipelines_dagster.defs.gdpr.shelf import erase_creatives
from pipelines_dagster.defs.gdpr.subject import Kind, Subject, subject_of
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.notify.streams import Streams
from pipelines_dagster.settings import PipelineSettings


@dataclass(frozen=True)
class Erasure:
    """The result. `done`: nothing of the subject was found anywhere afterwards."""

    number: str
    digest: str
    steps: tuple[Step, ...]
    seconds: float

    @property
    def done(self) -> bool:
        return not any(step.found for step in self.steps)

    def rows(self, prefix: str = "") -> int:
        """Rows, lines and keys removed or blanked at places that begin so."""
        return sum(s.removed + s.blanked for s in self.steps if s.place.startswith(prefix))


def erase(
    settings: PipelineSettings,
    *,
    conv_id: str = "",
    adv_id: str = "",
    msg_id: str = "",
    ctx_id: str = "",
    session_id: str = "",
    keep_billing: bool = False,
    index: IndexHook | None = None,
) -> Erasure:
    """Erase one subject everywhere.

    Args:
        keep_billing: leave what proves and is charges, as the law of bookkeeping asks for.
        index: of creatives; the list on disk by default.

    Raises:
        SkynetError: `bad_subject`, `one_subject`; `ledger_busy`, `redis_unreachable`, `table_busy`
            where a place cannot be erased now, with the request still open.
    """
    subject = subject_of(conv_id, adv_id, msg_id, ctx_id, session_id)
    lake = settings.open_lake()
    known = tables(lake)
    links = links_of(lake, known, subject)
    days = days_of(lake, known, subject, links)
    request = requests.begin(lake, subject, keep_billing, links, days)
    return _carry_out(settings, lake, request, index)


def resume(settings: PipelineSettings, index: IndexHook | None = None) -> list[Erasure]:
    """Finish every request that is open. Raises as `erase`."""
    lake = settings.open_lake()
    return [_carry_out(settings, lake, one, index) for one in requests.unfinished(lake)]


def finish_one(settings: PipelineSettings, request: Request) -> Erasure:
    """Finish one open request. Raises as `erase`."""
    return _carry_out(settings, settings.open_lake(), request, None)


def dry_run(settings: PipelineSettings, subject: Subject, keep_billing: bool) -> list[Step]:
    """What would go from the lake; nothing is changed."""
    lake = settings.open_lake()
    links = links_of(lake, tables(lake), subject)
    keys, days = Keys(subject, links), days_of(lake, tables(lake), subject, links)
    steps = list(plan(lake, keys, tombstones.BILLING if keep_billing else ()))
    for one in gold_sets(lake):
        count = holds(lake, one, keys)
        if count or one.saw(days):
            steps.append(Step(one.path, removed=count, files=len(one.files)))
    return steps


def _carry_out(
    settings: PipelineSettings, lake: Lake, request: Request, index: IndexHook | None
) -> Erasure:
    began = time.monotonic()
    tombstones.put(lake, request.subject, request.keep_billing)
    streams = Streams(settings.serving.logs)
    steps: list[Step] = []
    for step in _steps(settings, lake, request, index):
        steps.append(step)
        _tell(streams, request, step)
    audit.record(lake, request.number, request.subject.kind.title, request.digest, steps)
    erasure = Erasure(request.number, request.digest, tuple(steps), time.monotonic() - began)
    if erasure.done:
        requests.finish(lake, request)
    streams.write(
        audit.STREAM, request=request.number, event="done" if erasure.done else "not_done"
    )
    return erasure


def _steps(
    settings: PipelineSettings, lake: Lake, request: Request, index: IndexHook | None
) -> Iterator[Step]:
    subject, keep = request.subject, request.keep_billing
    serving, keys = settings.serving, Keys(request.subject, request.links)
    windows = erase_windows(serving.redis, subject)
    yield from (windows,) if windows else ()
    ledger = erase_ledger(serving.logs, subject, request.number, keep)
    yield from (ledger,) if ledger else ()
    yield from erase_creatives(serving, subject, index or erased_creatives(serving))
    yield from cut_topics(serving.kafka_servers, lake, subject)
    yield from _training_sets(settings, lake, request, keys)
    for table in tables(lake):
        kept = keep and table in tombstones.BILLING
        if subject.kind is Kind.CTX and table in tombstones.BILLING:
            continue  # a reply's charges are no samples of its context
        step = erase_table(lake, table, keys, kept)
        if step is not None:
            yield step
    # last: what a server had queued is written by now
    yield erase_logs([serving.logs, serving.state / "audit"], subject, request.number)


def _training_sets(
    settings: PipelineSettings, lake: Lake, request: Request, keys: Keys
) -> Iterator[Step]:
    """Models are marked before the set goes: a crash in between marks them again."""
    for one in gold_sets(lake):
        count = 0 if one.retired else holds(lake, one, keys)
        if not (count or one.retired or one.saw(request.days)):
            continue
        marked = invalidate(settings, lake, request.number, one.words)
        note = ", ".join(f"{model.subsystem} {model.version}" for model in marked)
        files = remove(lake, one)
        if files or marked:
            yield Step(one.path, removed=count, files=files, note=f"invalidated: {note or 'none'}")
    copies = drop_copies(settings) + drop_trainings(settings)
    if copies:
        yield Step(COPIES, files=copies, note="copies of training sets")


def _tell(streams: Streams, request: Request, step: Step) -> None:
    streams.write(
        audit.STREAM,
        request=request.number,
        kind=request.subject.kind.title,
        digest=request.digest,
        **{name: value for name, value in vars(step).items() if value not in ("", -1)},
    )
