# SPDX-License-Identifier: Apache-2.0
"""A real Triton server with one of our models alone, on free loopback ports."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient import grpc

from bls.keys.entry import Entry
from bls.keys.store import open_store
from bls.models.model_key import ModelKey
from bls.settings import REPOSITORY, Settings
from client.launcher.stack import Stack
from export.manifest import file_sha256

KINDS = {
    "float32": "FP32",
    "float64": "FP64",
    "int32": "INT32",
    "uint64": "UINT64",
    "object": "BYTES",
}


class ModelServer:
    """The running server of one model.

    Args:
        models: the folder its versions are in.
    """

    def __init__(self, stack: Stack, model: str, models: Path) -> None:
        self.stack, self.model, self.models = stack, model, models
        self.logs = stack.settings.logs
        self.store = open_store(stack.settings.key_store)

    def client(self) -> grpc.InferenceServerClient:
        return grpc.InferenceServerClient(self.stack.triton_address)

    def infer(
        self, client: grpc.InferenceServerClient, **tensors: NDArray[Any]
    ) -> dict[str, NDArray[Any]]:
        """Every output by name."""
        asked = []
        for name, values in tensors.items():
            tensor = grpc.InferInput(name, list(values.shape), KINDS[values.dtype.name])
            tensor.set_data_from_numpy(np.ascontiguousarray(values))
            asked.append(tensor)
        answer = client.infer(self.model, asked)
        names = [output.name for output in answer.get_response().outputs]
        return {name: answer.as_numpy(name) for name in names}

    def series(self, name: str) -> dict[str, float]:
        """Labels, as they are printed, to value."""
        with urllib.request.urlopen(self.stack.metrics_url, timeout=5) as page:
            text = page.read().decode()
        found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
        return {labels: float(value) for labels, value in found}

    def until(self, true: Callable[[], object], seconds: float = 15.0) -> None:
        """Wait for it: series are refreshed once a second."""
        stop = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < stop, self.stack.child("tritonserver").tail()
            time.sleep(0.05)

    def publish(self, key: str, folder: Path, share: float = 1.0, **changes: str) -> ModelKey:
        """Name that version under a model key."""
        fields = {"version": folder.name, "uri": folder.as_uri(), "sha256": sha256_of(folder)}
        named = ModelKey(**(fields | changes), share=share)
        version = self.store.newest(key) + 1
        self.store.put(Entry.of(key, version, int(time.time()), named.value()))
        return named


def point_at(folder: Path) -> None:
    """Make that version the current one beside it, as an operator does: one rename."""
    fresh = folder.with_name("current.new")
    fresh.write_text(json.dumps({"folder": folder.name, "sha256": sha256_of(folder)}))
    fresh.replace(folder.with_name("current.json"))


def sha256_of(folder: Path) -> str:
    return file_sha256(folder / "manifest.json")


@contextmanager
def one_model(
    model: str, folder: Path, grpc_port: int = 0, **settings: Any
) -> Iterator[ModelServer]:
    """The server of `model`, with its state, keys and `models` below `folder`."""
    repository = folder / "repository"
    repository.mkdir()
    (repository / model).symlink_to(REPOSITORY / "model_repository" / model)
    models = folder / "models"
    models.mkdir(exist_ok=True)
    fields = {"state": folder / "state", "models": str(models)} | settings
    ports = {"port": 0, "triton_grpc_port": grpc_port, "triton_metrics_port": 0}
    with Stack(Settings(**fields, **ports), repository=repository, gateway=False) as stack:
        yield ModelServer(stack, model, models)
