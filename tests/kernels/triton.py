# SPDX-License-Identifier: Apache-2.0
"""A real Triton server with one of our backends alone, on free loopback ports."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient import grpc

from tests.kernels.cases import ROOT

OUTPUTS = [
    "TOKEN",
    "REF_TOKEN",
    "MARGIN",
    "NEAR_TIE",
    "P_TOKEN",
    "PAY",
    "CRITICAL_BID",
    "W_MINUS",
    "ROW_STATUS",
    "LOG_Z",
]
MODEL = ROOT / "model_repository" / "auction"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def add_model(
    repository: Path, name: str, logits_type: str, parameters: Mapping[str, str] = {}
) -> None:
    """A copy of the shipped model whose LOGITS have another type, or which has parameters."""
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    config = (MODEL / "config.pbtxt").read_text()
    config = config.replace('name: "auction"', f'name: "{name}"', 1)
    config = config.replace("TYPE_FP32", logits_type, 1)
    for key, value in parameters.items():
        config += f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
    (folder / "config.pbtxt").write_text(config)


@dataclass
class Server:
    """The running server and how to reach it."""

    process: subprocess.Popen[bytes]
    log: Path
    address: str
    metrics_url: str

    def client(self) -> grpc.InferenceServerClient:
        return grpc.InferenceServerClient(self.address)

    def series(self, name: str, model: str = "auction") -> float:
        """Sum of one of the auction's counters over a model's versions."""
        with urllib.request.urlopen(self.metrics_url, timeout=5) as page:
            text = page.read().decode()
        lines = re.findall(rf'^{name}{{model="{model}".*}} (\S+)$', text, re.MULTILINE)
        assert lines, f"{name} is not on /metrics"
        return sum(map(float, lines))

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def start(
    folder: Path,
    library: Path,
    models: Mapping[str, Mapping[str, str]] = {},
    environment: Mapping[str, str] = {},
    accelerators: bool = True,
) -> Server:
    """Start the server of the pip wheel with the auction's `library` as its backend.

    `models` are copies of the shipped one with these parameters.
    """
    backend, repository = folder / "backends" / "auction", folder / "models"
    backend.mkdir(parents=True)
    shutil.copy(library, backend)
    if accelerators:
        for each in library.parent.glob("libskynet_auction_*.so"):
            shutil.copy(each, backend)
    shutil.copytree(MODEL, repository / "auction")
    for name, kind in (("half", "TYPE_FP16"), ("brain", "TYPE_BF16"), ("wrong", "TYPE_INT32")):
        add_model(repository, name, kind)
    for name, parameters in models.items():
        add_model(repository, name, "TYPE_FP32", parameters)
    return launch(folder, "auction", environment)


def launch(folder: Path, ready: str, environment: Mapping[str, str] = {}) -> Server:
    """Start the server on `folder`'s models and backends; returns once model `ready` is."""
    wheel = find_spec("pytriton")
    assert wheel is not None and wheel.origin is not None
    site = Path(wheel.origin).parents[1]
    http, grpc_port, metrics = free_ports(3)
    log = folder / "server.log"
    command = [
        str(site / "pytriton" / "tritonserver" / "bin" / "tritonserver"),
        f"--model-repository={folder / 'models'}",
        f"--backend-directory={folder / 'backends'}",
        "--disable-auto-complete-config",
        "--exit-on-error=false",
        "--strict-readiness=false",
        "--allow-gpu-metrics=false",
        "--exit-timeout-secs=5",
        *(f"--{kind}-address=127.0.0.1" for kind in ("http", "grpc", "metrics")),
        *(
            f"--{kind}-port={port}"
            for kind, port in (("http", http), ("grpc", grpc_port), ("metrics", metrics))
        ),
    ]
    libraries = {"LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs")}
    variables = {**os.environ, **libraries, **environment}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=variables, stdout=out, stderr=out)
    server = Server(process, log, f"127.0.0.1:{grpc_port}", f"http://127.0.0.1:{metrics}/metrics")
    wait_until_ready(server, ready)
    return server


@contextmanager
def stopping(server: Server) -> Iterator[Server]:
    """The server, and a clean stop however the block ends."""
    try:
        yield server
    finally:
        code = server.stop()
    assert code == 0, server.log.read_text()[-3000:]


@contextmanager
def serving(folder: Path, library: Path, **options: Any) -> Iterator[Server]:
    """`start`, and a clean stop however the block ends."""
    with stopping(start(folder, library, **options)) as server:
        yield server


def wait_until_ready(server: Server, model: str, seconds: float = 20.0) -> None:
    stop = time.monotonic() + seconds
    while time.monotonic() < stop and server.process.poll() is None:
        try:
            if server.client().is_model_ready(model):
                urllib.request.urlopen(server.metrics_url, timeout=5).close()
                return
        except (grpc.InferenceServerException, OSError):  # the endpoints open one by one
            pass
        time.sleep(0.1)
    server.stop()
    raise RuntimeError(server.log.read_text()[-3000:])


def inputs(
    logits: NDArray,
    weights: NDArray,
    temperature: NDArray,
    kind: str = "FP32",
    draw: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> list[grpc.InferInput]:
    """One reply as request tensors; weights and temperature one value a row.

    `draw` is mode, seed, conv, index.
    """
    made = []
    for name, values, dtype in (
        ("LOGITS", logits, kind),
        ("WEIGHT", weights.reshape(-1, 1).astype(np.float32), "FP32"),
        ("TEMPERATURE", temperature.reshape(-1, 1).astype(np.float32), "FP32"),
        ("DRAW", np.tile(np.array(draw, np.uint64), (len(weights), 1)), "UINT64"),
    ):
        tensor = grpc.InferInput(name, list(values.shape), dtype)
        tensor.set_data_from_numpy(values)
        made.append(tensor)
    return made
