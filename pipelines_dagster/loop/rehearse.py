# SPDX-License-Identifier: Apache-2.0
"""One rehearsal from nothing to a verdict: state, stack, traffic, the circle; all gone afterwards.

A server that runs already can be used instead: its champion is put back at the end.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg

from bls.settings import PIPELINES, Settings
from client.launcher.stack import Stack
from pipelines_dagster.definitions import defs
from pipelines_dagster.defs.operations.dev import free_port
from pipelines_dagster.defs.operations.home import home_of, prepare
from pipelines_dagster.loop.budget import Budget
from pipelines_dagster.loop.circle import Circle, Findings, Show
from pipelines_dagster.loop.dagster_steps import DagsterSteps
from pipelines_dagster.settings import PipelineSettings
from pipelines_dagster.traffic.drive import Background
from pipelines_dagster.traffic.plan import TrafficPlan


def rehearse(
    settings: PipelineSettings,
    budget: Budget,
    plan: TrafficPlan,
    show: Show,
    *,
    url: str = "",
) -> Findings:
    """The whole circle; see `Circle.run` for what it raises and finds.

    Args:
        settings: of the server at `url`; without one, of the stack that is started, whose ports
            are free ones and whose campaigns are the plan's.
        plan: its seconds do not count: traffic goes on until the circle is done.
    """
    endless = dataclasses.replace(plan, seconds=3_600.0 * 24)
    if not url:
        settings = PipelineSettings(_own(settings.serving, plan))
    settings = dataclasses.replace(
        settings,
        webhook=settings.webhook or "log",
        training="quick",
        canary_share=0.5,
        canary_s=budget.seconds(budget.canary),
    )
    with ExitStack() as stack:
        stack.enter_context(_environment(settings))
        instance = dg.DagsterInstance.from_config(str(prepare(home_of(settings))))
        stack.enter_context(instance)
        steps = DagsterSteps(settings, defs, instance)
        stack.callback(steps.keys.close)
        if url:
            stack.callback(steps.restore)
        else:
            show("stack", "starting the server, the relay and the broker")
            url = stack.enter_context(Stack(settings.serving, events=True)).gateway_url
        traffic = stack.enter_context(Background(url, endless))
        circle = Circle(steps, budget, show, failures=_failures(traffic))
        return circle.run()


def _failures(traffic: Background) -> Callable[[], int]:
    return lambda: traffic.report.failures


def _own(settings: Settings, plan: TrafficPlan) -> Settings:
    """Everything below the state folder, on free ports: no key store, lake, broker or server of the
    operator's is touched. The broker's port is told to Kafka's clients before it is up."""
    return Settings(
        cache=settings.cache,
        state=settings.state,
        llm=settings.llm,
        tritonserver=settings.tritonserver,
        ready_timeout_s=settings.ready_timeout_s,
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
        kafka_port=free_port(0),
        campaigns=str(plan.campaigns),
    )


@contextmanager
def _environment(settings: PipelineSettings) -> Iterator[None]:
    """The `pipelines` resource of a run reads the environment: it gets these settings."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("SKYNET_"):
            del os.environ[name]
    os.environ.update(_variables(settings.serving), DAGSTER_HOME=str(home_of(settings).resolve()))
    os.environ.update(_variables(settings, PIPELINES), DAGSTER_DISABLE_TELEMETRY="1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _variables(settings: Settings | PipelineSettings, prefix: str = "SKYNET_") -> dict[str, str]:
    """Settings as the environment says them; those that stand as they are by default are left."""
    fields = dataclasses.fields(settings)
    values = {f.name: (getattr(settings, f.name), f.default) for f in fields if f.name != "serving"}
    return {
        prefix + name.upper(): str(int(value) if isinstance(value, bool) else value)
        for name, (value, default) in values.items()
        if value != default
    }
