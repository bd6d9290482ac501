# SPDX-License-Identifier: Apache-2.0
"""The whole stack as a context manager: Triton, the gateway, the shop, the event path.

The shop is stopped first, then the gateway, Triton and the event path.

with Stack(load_settings()) as stack:
    stack.wait()
"""

from __future__ import annotations

import contextlib
import os
import shutil
import site
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bls.ads.prepare import prepare
from bls.campaigns import load_campaigns
from bls.contracts import SELECT
from bls.errors import SkynetError
from bls.settings import REPOSITORY, Settings
from client.launcher.backends import assemble_backends
from client.launcher.events import EventPath
from client.launcher.flags import ServerFiles, triton_command
from client.launcher.install import find_triton
from client.launcher.ports import LOOPBACK, check_ports
from client.launcher.process import Child
from client.launcher.ready import http_ready, triton_ready, wait_until
from client.launcher.running import Children

Progress = Callable[[str], None]

_TRITON_GRACE_S = 25.0
_GATEWAY_GRACE_S = 8.0
_SHOP_GRACE_S = 6.0


class Stack(Children):
    """Children of one run, and the folder they share. `settings` has the ports really used.

    Args:
        events: ship what is recorded to Kafka, unless the settings say no; without, the lines wait
            in the log folder for a run that does.
    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress = lambda text: None,
        repository: Path = REPOSITORY / "model_repository",
        gateway: bool = True,
        events: bool = False,
    ) -> None:
        super().__init__()
        self.settings = settings
        self._progress = progress
        self._repository = repository
        self._with_gateway = gateway
        self._with_events = events and settings.events
        self.events: EventPath | None = None
        self._folder: Path | None = None

    @property
    def gateway_url(self) -> str:
        return f"http://{self.settings.host}:{self.settings.port}"

    @property
    def shop_url(self) -> str | None:
        """None where the settings have no shop."""
        if not (self._with_gateway and self.settings.store_mode):
            return None
        return f"http://{self.settings.host}:{self.settings.store_port}"

    @property
    def triton_address(self) -> str:
        return f"{LOOPBACK}:{self.settings.triton_grpc_port}"

    @property
    def metrics_url(self) -> str:
        return f"http://{LOOPBACK}:{self.settings.triton_metrics_port}/metrics"

    def child(self, name: str) -> Child:
        """The running child of that name."""
        return next(child for child in self._children if child.name == name)

    def start(self) -> None:
        """Start both children and wait until they answer. Raises `SkynetError`."""
        self.settings.llm_folder()
        install = find_triton(self.settings.tritonserver)
        bundled = self._with_events and not self.settings.kafka
        self.settings = settings = check_ports(self.settings, broker=bundled)
        if self._with_events:
            self.events = EventPath(settings, _environment(settings), self._progress)
        settings.state.mkdir(parents=True, exist_ok=True)
        _sweep(settings.state)
        prefix = f"run-{os.getpid()}-"
        self._folder = folder = Path(tempfile.mkdtemp(prefix=prefix, dir=settings.state))
        files = ServerFiles(
            self._repository, assemble_backends(install, folder / "backends"), folder.name
        )
        if (self._repository / SELECT.name).exists():
            self._prepare_ads()
        self._progress("starting the Triton server")
        environment = _environment(settings)
        if install.libraries is not None:
            environment["LD_LIBRARY_PATH"] = str(install.libraries)
        log = settings.logs / "tritonserver.txt"
        triton = Child("tritonserver", triton_command(install, settings, files), environment, log)
        self._children.append(triton)
        wait_until(triton, triton_ready(self.triton_address), settings.ready_timeout_s)
        if self._with_gateway:
            self._start_gateway()
        if self.shop_url is not None:
            self._start_shop(self.shop_url)
        if self.events is not None:
            self._progress(f"events go to Kafka at {settings.kafka_servers}")
            self.events.start()

    def _prepare_ads(self) -> None:
        """A database that is away keeps ads out, not the server from starting."""
        try:
            done = prepare(self.settings, load_campaigns(self.settings.campaigns))
        except SkynetError as fault:
            if fault.code != "ads_unavailable":
                raise
            self._progress("the database of campaigns does not answer: no ads until it does")
            return
        if done.judged:
            self._progress(f"the guard judged {done.judged} creatives of the campaign file")
        if done.taken:
            names = ", ".join(done.taken)
            self._progress(f"left out of the campaign file, since somebody else has them: {names}")

    def _start_gateway(self) -> None:
        self._progress("starting the gateway")
        settings = self.settings
        command = [sys.executable, "-m", "client.gateway.server"]
        command += ["--host", settings.host, "--port", str(settings.port)]
        command += ["--triton", self.triton_address]
        log = settings.logs / "gateway.txt"
        environment = _environment(settings)
        if settings.api_key:
            environment["SKYNET_API_KEY"] = settings.api_key
        gateway = Child("gateway", command, environment, log)
        self._children.append(gateway)
        wait_until(gateway, http_ready(f"{self.gateway_url}/readyz"), settings.ready_timeout_s)

    def _start_shop(self, url: str) -> None:
        self._progress("starting the shop")
        settings = self.settings
        command = [sys.executable, "-m", "client.storefront.server"]
        command += ["--mode", settings.store_mode, "--gateway", self.gateway_url]
        command += ["--host", settings.host, "--port", str(settings.store_port)]
        environment = _bare(_environment(settings))
        if settings.api_key:
            environment["SKYNET_API_KEY"] = settings.api_key
        shop = Child("shop", command, environment, settings.logs / "shop.txt")
        self._children.append(shop)
        wait_until(shop, http_ready(f"{url}/healthz"), settings.ready_timeout_s)

    def stop(self) -> None:
        """End the children, and remove what the run left on the machine.

        The shop, the gateway and the server first, so that the relay sends what they wrote last.
        """
        grace = {
            "tritonserver": _TRITON_GRACE_S,
            "gateway": _GATEWAY_GRACE_S,
            "shop": _SHOP_GRACE_S,
        }
        while self._children:
            child = self._children.pop()
            child.stop(grace[child.name])
        if self.events is not None:
            self.events.stop()
            self.events = None
        if self._folder is not None:
            _remove_segments(self._folder.name)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _environment(settings: Settings) -> dict[str, str]:
    """What the children see: our settings with the ports really used, and where packages are."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site_folders()}
    ours = {
        "SKYNET_CACHE": settings.cache,
        "SKYNET_STATE": settings.state,
        "SKYNET_HOST": settings.host,
        "SKYNET_PORT": settings.port,
        "SKYNET_TRITON_GRPC_PORT": settings.triton_grpc_port,
        "SKYNET_TRITON_METRICS_PORT": settings.triton_metrics_port,
        "SKYNET_LLM_THREADS": settings.llm_threads,
        "SKYNET_LLM_SPIN": int(settings.llm_spin),
        "SKYNET_KV_ROWS": settings.kv_rows,
        "SKYNET_TRACES": settings.traces,
        "SKYNET_PYTHON": sys.executable,
        "SKYNET_SITE": os.pathsep.join(sorted(folders)),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
        "MALLOC_MMAP_THRESHOLD_": "1073741824",
        "MALLOC_TRIM_THRESHOLD_": "1073741824",
        "MALLOC_TOP_PAD_": "67108864",
    }
    optional = {
        "SKYNET_LLM": settings.llm,
        "SKYNET_CAMPAIGNS": settings.campaigns,
        "SKYNET_POLICY_MODEL": settings.policy_model,
        "SKYNET_POLICY_RULES": settings.policy_rules,
        "SKYNET_REDIS": settings.redis,
        "SKYNET_PREDICTOR_MODEL": settings.predictor_model,
        "SKYNET_TVE_MODEL": settings.tve_model,
        "SKYNET_GUARD_MODEL": settings.guard_model,
        "SKYNET_SUMMARISER_MODEL": settings.summariser_model,
        "SKYNET_AGENT_MODEL": settings.agent_model,
        "SKYNET_PRICE_MODEL": settings.price_model,
        "SKYNET_CONDENSE": settings.condense,
        "SKYNET_DATABASE": settings.database,
        "SKYNET_DATABASE_PASSWORD": settings.database_password,
        "SKYNET_INDEX": settings.index,
        "SKYNET_AUCTION_PATH": settings.auction_path,
        "SKYNET_KEYS": settings.keys,
        "SKYNET_ETCD_PASSWORD": settings.etcd_password,
        "SKYNET_MODELS": settings.models,
        "SKYNET_MODELS_PUBLIC_KEYS": settings.models_public_keys,
        "SKYNET_PARAMS_PUBLIC_KEYS": settings.params_public_keys,
    }
    ours |= {name: value for name, value in optional.items() if value}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SKYNET_")}
    return kept | {name: str(value) for name, value in ours.items()}


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """The same for a child that faces browsers and needs none of our settings, nor a secret."""
    return {k: v for k, v in environment.items() if not k.startswith(("SKYNET_", "AWS_"))}


def site_folders() -> list[str]:
    """Package folders of the interpreter that runs us."""
    with contextlib.suppress(AttributeError):
        return site.getsitepackages()
    return []


def _sweep(state: Path) -> None:
    """Remove what runs left behind whose process was killed."""
    for folder in state.glob("run-*-*"):
        pid = folder.name.split("-")[1]
        if not Path("/proc", pid).exists():
            _remove_segments(folder.name)
            shutil.rmtree(folder, ignore_errors=True)


def _remove_segments(prefix: str) -> None:
    """Shared-memory segments of a server that was killed; a clean exit leaves none."""
    for segment in Path("/dev/shm").glob(f"*{prefix}*"):
        segment.unlink(missing_ok=True)
