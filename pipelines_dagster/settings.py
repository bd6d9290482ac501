# SPDX-License-Identifier: Apache-2.0
"""Settings of the pipelines: `SKYNET_PIPELINES_*`, and the serving side's where they are shared.

By default everything is below the serving side's `.state`: a lake in a folder, a registry in
SQLite, the bundled broker, the watched folder of keys.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bls.errors import SkynetError
from bls.settings import PIPELINES, Settings, load_settings
from pipelines_dagster.lake.lake import Lake


@dataclass(frozen=True)
class PipelineSettings:
    """Field `x_y` is set by `SKYNET_PIPELINES_X_Y`.

    Attributes:
        serving: the serving side's settings: Kafka, key store, model folder, logs.
        lake: folder or `s3://bucket/prefix`; empty takes `<state>/lake`.
        s3_endpoint: of an S3-compatible store; keys and region come from `AWS_*`.
        registry: MLflow tracking URI; empty takes SQLite in `<state>/mlflow`.
        ray: cluster address for datasets and searches; empty runs them here.
        webhook: where promotions, refusals and missed deadlines are told, `https://...`; a secret.
            `log` writes them to the log folder only.
        signing_key: PEM file of the operator's Ed25519 key, which signs what is made live. Without
            one, model keys are unsigned and `/mpc/params` is not written.
        guard_data: folder of labelled texts for `models/guard`; empty skips it.
        training: `full`, or `quick`: minutes become a minute, for the loop on one core.
        canary_share: of conversations, that a challenger serves before it is promoted.
        canary_s: how long at most.
        canary_rows: events of the challenger that end the canary earlier.
    """

    serving: Settings
    lake: str = ""
    s3_endpoint: str = ""
    registry: str = ""
    ray: str = ""
    webhook: str = field(default="", repr=False)
    signing_key: str = field(default="", repr=False)
    guard_data: str = ""
    training: str = "full"
    canary_share: float = 0.05
    canary_s: float = 21_600.0
    canary_rows: int = 200_000

    def __post_init__(self) -> None:
        if self.training not in ("full", "quick"):
            raise _bad("training", "must be full or quick")
        if not 0 < self.canary_share < 1 or self.canary_s <= 0 or self.canary_rows < 1:
            raise _bad("canary_*", "must be a share below 1, and seconds and rows above 0")

    @property
    def lake_root(self) -> str:
        return self.lake or str(self.serving.state / "lake")

    @property
    def registry_uri(self) -> str:
        return self.registry or f"sqlite:///{self.serving.state / 'mlflow' / 'registry.db'}"

    def open_lake(self) -> Lake:
        """The lake; an S3 store's options are taken from the environment."""
        if not self.lake_root.startswith("s3://"):
            return Lake(self.lake_root)
        options = {"aws_conditional_put": "etag"}
        if self.s3_endpoint:
            options["endpoint_url"] = self.s3_endpoint
            if self.s3_endpoint.startswith("http://"):
                options["allow_http"] = "true"
        return Lake(self.lake_root, options)


def load_pipeline_settings(environment: Mapping[str, str] = os.environ) -> PipelineSettings:
    """From the environment. Raises `bad_setting` naming the variable at fault."""
    known = {f.name: str(f.type) for f in dataclasses.fields(PipelineSettings)}
    del known["serving"]
    values: dict[str, Any] = {}
    for variable, text in environment.items():
        if variable.startswith(PIPELINES):
            name = variable.removeprefix(PIPELINES).lower()
            if name not in known:
                raise SkynetError("bad_setting", f"{variable} is not a known setting.", 500)
            values[name] = _convert(name, known[name], text)
    return PipelineSettings(load_settings(environment), **values)


def _convert(name: str, kind: str, text: str) -> object:
    try:
        return {"int": int, "float": float}.get(kind, str)(text)
    except ValueError:
        raise _bad(name, "must be a number") from None


def _bad(name: str, why: str) -> SkynetError:
    return SkynetError("bad_setting", f"{PIPELINES}{name.upper()} {why}.", 500)
