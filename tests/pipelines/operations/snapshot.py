# SPDX-License-Identifier: Apache-2.0
"""What is loaded, as text: `python -m tests.pipelines.operations.snapshot` writes it anew."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from pipelines_dagster.definitions import defs

FILE = Path(__file__).with_name("snapshot.txt")


def text(definitions: dg.Definitions = defs) -> str:
    """Assets with what they depend on, checks, jobs, schedules, sensors; sorted."""
    repository = definitions.get_repository_def()
    graph = definitions.resolve_asset_graph()
    lines = ["assets"]
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        parents = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys))
        extra = [f"after {parents}"] if parents else []
        extra += [f"pool {pool}" for pool in sorted(node.pools or ())]
        lines.append(f"  {key.to_user_string()}  {'; '.join(extra)}".rstrip())
    lines.append("checks")
    for check in sorted(graph.asset_check_keys, key=str):
        blocking = " (blocking)" if graph.get(check).blocking else ""
        lines.append(f"  {check.asset_key.to_user_string()}: {check.name}{blocking}")
    lines.append("jobs")
    for job in sorted(repository.get_all_jobs(), key=lambda job: job.name):
        if job.name.startswith("__"):
            continue
        keys = sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
        pool = job.tags.get("skynet/pool")
        lines.append(f"  {job.name}{f' (pool {pool})' if pool else ''}: {', '.join(keys)}".rstrip())
    lines.append("schedules")
    for schedule in sorted(repository.schedule_defs, key=lambda one: one.name):
        lines.append(f"  {schedule.name}: {schedule.cron_schedule} {schedule.execution_timezone}")
    lines.append("sensors")
    lines += [f"  {sensor.name}" for sensor in sorted(repository.sensor_defs, key=lambda s: s.name)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
