# SPDX-License-Identifier: Apache-2.0
"""Memory-mapped safetensors shards read with numpy (8-byte length, JSON header, raw tensors)."""

from __future__ import annotations

import json
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.errors import ExportError
from export.llm.quant import F32

_DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I32": "<i4"}


@dataclass(frozen=True)
class _Entry:
    data: mmap.mmap
    start: int
    stop: int
    dtype: str
    shape: tuple[int, ...]


class SafetensorsFiles:
    """Every tensor of every `*.safetensors` file in a folder."""

    def __init__(self, folder: Path) -> None:
        self._entries: dict[str, _Entry] = {}
        for path in sorted(folder.glob("*.safetensors")):
            try:
                self._add(path)
            except (
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                struct.error,
                OSError,
            ) as error:
                raise ExportError(
                    "source_invalid", f"{path.name} is not a safetensors file: {error}"
                ) from None

    def _add(self, path: Path) -> None:
        with path.open("rb") as handle:
            data = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        (size,) = struct.unpack_from("<Q", data)
        header: dict[str, Any] = json.loads(data[8 : 8 + size])
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            start, stop = (8 + size + int(at) for at in entry["data_offsets"])
            if not 8 + size <= start <= stop <= len(data):
                raise ValueError(f"{name} lies outside the file")
            shape = tuple(int(length) for length in entry["shape"])
            self._entries[name] = _Entry(data, start, stop, str(entry["dtype"]), shape)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """Every tensor, sorted."""
        return sorted(self._entries)

    def stored_type(self, name: str) -> str:
        return self._entry(name).dtype

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            raise ExportError("source_invalid", f"tensor {name} is missing")
        return self._entries[name]

    def _stored(self, name: str) -> npt.NDArray[Any]:
        entry = self._entry(name)
        if entry.dtype not in _DTYPES:
            raise ExportError("tensor_unsupported", f"{name} is stored as {entry.dtype}")
        dtype = np.dtype(_DTYPES[entry.dtype])
        count = int(np.prod(entry.shape, dtype=np.int64))
        if count * dtype.itemsize != entry.stop - entry.start:
            raise ExportError("source_invalid", f"{name}: its size does not match its shape")
        return np.frombuffer(entry.data, dtype, count, entry.start).reshape(entry.shape)

    def floats(self, name: str) -> F32:
        """A float tensor as f32."""
        stored = self._stored(name)
        if self.stored_type(name) == "BF16":
            return (stored.astype(np.uint32) << 16).view(np.float32)
        if self.stored_type(name) == "I32":
            raise ExportError("tensor_unsupported", f"{name} holds integers, expected floats")
        return stored.astype(np.float32)

    def integers(self, name: str) -> npt.NDArray[np.int32]:
        """An int32 tensor (packed quantised weights)."""
        if self.stored_type(name) != "I32":
            raise ExportError("tensor_unsupported", f"{name}: expected I32")
        return self._stored(name).astype(np.int32)
