# SPDX-License-Identifier: Apache-2.0
"""Settings from the environment, read once per process. A bad or unknown name is refused.

Every `SKYNET_*` variable is listed in `Settings`; a misspelt one fails at start instead of
being ignored.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bls.errors import SkynetError
from bls.limits import LIMITS, Limits

PIPELINES = "SKYNET_PIPELINES_"
"""Settings of the pipelines begin so; `pipelines_dagster.settings` reads and checks them."""

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Settings:
    """Field `x_y` is set by `SKYNET_X_Y`.

    Attributes:
        cache: exported models; safe to delete, it is built again.
        state: logs and run-time files.
        llm: folder of an exported LLM; empty takes `<cache>/llm/current.json`.
        llm_threads: onnxruntime threads; 0 takes every core.
        llm_spin: keep those threads spinning between operators.
        kv_rows: KV rows of the engine; the memory used is rows x longest row.
        campaigns: campaign file (JSON); empty takes the one in the package.
        policy_model: folder of a toxicity classifier (bls/policy/README.md); empty uses rules only.
        policy_rules: an operator's own word rules (TOML), beside the built-in ones.
        redis: where feature windows are shared (`redis://`, `rediss://`, `sentinel://h:p,h:p/name`);
            empty keeps them in this process.
        predictor_model: folder of the `bid_predictor` version to serve, or of a `current.json` that
            names it; empty takes the one in the repository.
        tve_model: the same of `tve`.
        guard_model: folder of the `policy_guard` version to serve; empty takes the one in the
            repository.
        summariser_model: the same of `summariser`.
        agent_model: the same as `predictor_model`, of `agent_score`.
        price_model: the same, of `session_price`.
        store_mode: `hotel` or `airline` starts the shop beside the gateway; empty starts none.
        store_port: of the shop.
        condense: which windows of a long chat are summarised: `first`, `recent` or `salient`.
        database: campaigns, creatives and budgets: `sqlite:///PATH` or
            `postgresql+psycopg://HOST/NAME`; empty takes SQLite in `<state>/skynet.db`.
        database_password: of the user in it.
        index: how creatives are searched: `flat`, `ivfpq`, or `auto` by their number.
        auction_path: `scalar`, `avx2` or `avx512`; empty takes the best the CPU has.
        traces: `off`, `console`, `otlp`, or `file:PATH`.
        keys: folder of the key store (docs/keys.md), or `etcd://[USER@]HOST:PORT[/PREFIX]`; empty
            takes `<state>/keys`.
        etcd_password: of USER.
        models: where model versions are that the key store names (`/pred/model`, `/tve/model`);
            empty takes `<state>/models`.
        models_public_keys: whose signatures count for model keys, as below; empty takes unsigned
            ones, whose artefacts must still have the hash they name.
        events: ship what is recorded to Kafka.
        kafka: bootstrap servers, `HOST:PORT,...`; empty starts the bundled broker on `kafka_port`.
        params_public_keys: whose signatures count for `/mpc/params`: a PEM file, a folder of them,
            or base64; empty trusts nobody, and the built-in parameters stand.
        python: interpreter that has the packages; the launcher sets its own.
        site: folders with the Python packages of the models (set by the launcher).
        api_key: when set, the gateway asks for it as a bearer token.
        rewrite_api_key: sent to the endpoint that rewrites imported ads (`skynet creatives import
            --rewrite URL`), and to nobody else.
    """

    cache: Path = REPOSITORY / ".cache"
    state: Path = REPOSITORY / ".state"
    llm: str = ""
    llm_threads: int = 0
    llm_spin: bool = True
    kv_rows: int = LIMITS.kv_rows
    campaigns: str = ""
    policy_model: str = ""
    policy_rules: str = ""
    redis: str = field(default="", repr=False)
    predictor_model: str = ""
    tve_model: str = ""
    guard_model: str = ""
    summariser_model: str = ""
    agent_model: str = ""
    price_model: str = ""
    store_mode: str = ""
    store_port: int = 8090
    condense: str = "first"
    database: str = field(default="", repr=False)
    database_password: str = field(default="", repr=False)
    index: str = "auto"
    auction_path: str = ""
    traces: str = "off"
    keys: str = ""
    etcd_password: str = field(default="", repr=False)
    models: str = ""
    models_public_keys: str = ""
    events: bool = True
    kafka: str = ""
    kafka_port: int = 19092
    params_public_keys: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    triton_grpc_port: int = 18001
    triton_metrics_port: int = 18002
    tritonserver: str = ""
    ready_timeout_s: int = 120
    python: str = "python3"
    site: str = ""
    api_key: str = field(default="", repr=False)
    rewrite_api_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.llm_threads == 0:
            object.__setattr__(self, "llm_threads", os.cpu_count() or 1)
        if self.traces not in ("off", "console", "otlp") and not self.traces.startswith("file:"):
            raise _bad("traces", "must be off, console, otlp or file:PATH")
        if self.condense not in ("first", "recent", "salient"):
            raise _bad("condense", "must be first, recent or salient")
        if self.index not in ("auto", "flat", "ivfpq"):
            raise _bad("index", "must be auto, flat or ivfpq")
        if self.store_mode not in ("", "hotel", "airline"):
            raise _bad("store_mode", "must be hotel or airline")
        for name in ("port", "store_port", "triton_grpc_port", "triton_metrics_port", "kafka_port"):
            if not 0 <= getattr(self, name) <= 65_535:
                raise _bad(name, "must be a port number")
        if self.llm_threads < 1:
            raise _bad("llm_threads", "must be 1 or more")
        if self.kv_rows < LIMITS.bidders + 1:
            raise _bad("kv_rows", f"must be {LIMITS.bidders + 1} or more: one full reply")

    @property
    def limits(self) -> Limits:
        """The limits with this process's number of KV rows."""
        return dataclasses.replace(LIMITS, kv_rows=self.kv_rows)

    def predictor_folder(self) -> Path:
        """Where the served `bid_predictor` version is, or its `current.json`."""
        return _shipped(self.predictor_model, "bid_predictor")

    def tve_folder(self) -> Path:
        """Where the served `tve` version is, or its `current.json`."""
        return _shipped(self.tve_model, "tve")

    def guard_folder(self) -> Path:
        """Where the served `policy_guard` version is."""
        return _shipped(self.guard_model, "policy_guard")

    def summariser_folder(self) -> Path:
        """Where the served `summariser` version is."""
        return _shipped(self.summariser_model, "summariser")

    def agent_folder(self) -> Path:
        """Where the served `agent_score` version is, or its `current.json`."""
        return _shipped(self.agent_model, "agent_score")

    def price_folder(self) -> Path:
        """Where the served `session_price` version is, or its `current.json`."""
        return _shipped(self.price_model, "session_price")

    @property
    def database_url(self) -> str:
        """What `bls.ads.database.open_database` opens."""
        return self.database or f"sqlite:///{self.state / 'skynet.db'}"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def key_store(self) -> str:
        """What `bls.keys.store.open_store` opens."""
        return self.keys or str(self.state / "keys")

    @property
    def keys_folder(self) -> Path:
        """The same where it is a folder."""
        return Path(self.key_store)

    @property
    def models_folder(self) -> Path:
        return Path(self.models) if self.models else self.state / "models"

    @property
    def models_fetched(self) -> Path:
        """Versions that were fetched from an `s3://` place; safe to delete."""
        return self.state / "models.fetched"

    @property
    def kafka_servers(self) -> str:
        """Bootstrap servers, the bundled broker's when none are set."""
        return self.kafka or f"127.0.0.1:{self.kafka_port}"

    @property
    def keys_kept(self) -> Path:
        """What the server remembers of the key store; its own, see `bls.keys.live`."""
        return self.state / "keys.kept"

    def llm_folder(self) -> Path:
        """The exported LLM to serve. Raises `llm_missing` when nothing was exported."""
        if self.llm:
            return Path(self.llm)
        pointer = self.cache / "llm" / "current.json"
        try:
            return pointer.parent / str(json.loads(pointer.read_text())["folder"])
        except (OSError, ValueError, KeyError):
            raise SkynetError("llm_missing", "No exported LLM; run `make setup`.", 500) from None


def _shipped(setting: str, model: str) -> Path:
    return Path(setting) if setting else REPOSITORY / "model_repository" / model / "1"


def _bad(name: str, why: str) -> SkynetError:
    return SkynetError("bad_setting", f"SKYNET_{name.upper()} {why}.", 500)


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `SKYNET_*` variables. Raises `bad_setting` naming the variable at fault."""
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if not variable.startswith("SKYNET_") or variable.startswith(PIPELINES):
            continue
        name = variable.removeprefix("SKYNET_").lower()
        if name not in fields:
            raise _bad(name, "is not a known setting")
        values[name] = _convert(name, str(fields[name].type), text)
    return Settings(**values)  # type: ignore[arg-type]


def _convert(name: str, kind: str, text: str) -> object:
    if kind == "int":
        try:
            return int(text)
        except ValueError:
            raise _bad(name, "must be a whole number") from None
    if kind == "bool":
        if text.lower() not in ("0", "1", "true", "false"):
            raise _bad(name, "must be 0 or 1")
        return text.lower() in ("1", "true")
    return Path(text) if kind == "Path" else text
