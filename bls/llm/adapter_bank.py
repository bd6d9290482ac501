# SPDX-License-Identifier: Apache-2.0
"""The adapters that the LoRA graph reads: fixed memory, cut into slots.

The arrays are bound once. An adapter is written into a slot that no live conversation uses, on a
thread of its own, and can be named when it is whole; so nothing changes for rows under way, and
replies keep the adapter that they began with until they end. What is no longer named stays until
its slot is needed, so going back is cheap. Pages are touched on first use.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.errors import SkynetError, capacity
from bls.limits import LIMITS
from bls.llm.adapter_file import F32, AdapterShape, check_folder, read_adapter
from export.errors import ExportError

ADAPTER_SLOTS = 2 * LIMITS.adapters
"""Those that are named, and those that replies begun before a swap still use."""

NONE = 0
"""Number of no adapter."""


@dataclass
class _Slot:
    place: int
    users: int = 0
    ready: bool = False


class AdapterBank:
    """Adapters by number (`bls.models.served_id` of the version's manifest).

    Args:
        slots: adapters held at once, those of replies that began before a swap included.
        prepare: called before an adapter becomes ready.

    Attributes:
        tensors: `lora_q_a` f32 [slots * layers, hidden, rank], ...: what the graph takes.
    """

    def __init__(
        self, shape: AdapterShape, slots: int, prepare: Callable[[], None] = lambda: None
    ) -> None:
        self._shape = shape
        self._prepare = prepare
        self._free = list(range(slots))
        self._slots: OrderedDict[int, _Slot] = OrderedDict()  # named last: last
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        rows = slots * shape.layers
        self.tensors: dict[str, F32] = {}
        for kind, width in shape.widths.items():
            self.tensors[f"lora_{kind}_a"] = np.zeros((rows, shape.hidden, shape.rank), np.float32)
            self.tensors[f"lora_{kind}_b"] = np.zeros((rows, shape.rank, width), np.float32)

    def claim(self, adapter: int) -> None:
        """Keep a slot for an adapter, or count it as named again. Raises `capacity`."""
        with self._lock:
            if adapter not in self._slots:
                self._slots[adapter] = _Slot(self._place())
            self._slots.move_to_end(adapter)

    def load(self, adapter: int, folder: Path, sha256: str) -> str:
        """Fill a claimed slot; SHA-256 of the weights as the graph reads them, hex.

        An adapter that is there already is only hashed again. Raises `ExportError`: then it is
        forgotten, unless it was there.
        """
        with self._writing:
            slot = self._slots.get(adapter)
            if slot is None:
                raise ExportError("adapter_invalid", "another load of it failed")
            if not slot.ready:
                try:
                    check_folder(folder, sha256, self._shape.base)
                    self._prepare()
                    self._write(slot.place, read_adapter(folder, self._shape))
                except BaseException:
                    self._forget(adapter)
                    raise
                slot.ready = True
            return self._digest(slot.place)

    def knows(self, adapters: Sequence[int]) -> bool:
        """Whether each of them is held, or about to be."""
        with self._lock:
            return all(adapter == NONE or adapter in self._slots for adapter in adapters)

    def ready(self, adapters: Sequence[int]) -> bool:
        """Whether rows may use them now."""
        with self._lock:
            return all(
                adapter == NONE or (adapter in self._slots and self._slots[adapter].ready)
                for adapter in adapters
            )

    def take(self, adapters: Sequence[int]) -> NDArray[np.int64]:
        """Slot of each row's adapter, -1 for none; held until `give`."""
        with self._lock:
            found = [None if adapter == NONE else self._slots[adapter] for adapter in adapters]
            for slot in found:
                if slot is not None:
                    slot.users += 1
        return np.array([-1 if slot is None else slot.place for slot in found], np.int64)

    def give(self, adapters: Sequence[int]) -> None:
        """The conversation that took them ended."""
        with self._lock:
            for adapter in adapters:
                if adapter != NONE:
                    self._slots[adapter].users -= 1

    def _place(self) -> int:
        """A free place; the adapter that nobody uses and was named longest ago goes."""
        if self._free:
            return self._free.pop(0)
        for adapter, slot in self._slots.items():
            if slot.ready and not slot.users:
                del self._slots[adapter]
                return slot.place
        raise capacity("adapters")

    def _forget(self, adapter: int) -> None:
        with self._lock:
            self._free.insert(0, self._slots.pop(adapter).place)

    def _write(self, place: int, values: dict[str, F32]) -> None:
        for name, value in values.items():
            self._part(f"lora_{name}", place)[:] = value

    def _digest(self, place: int) -> str:
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            digest.update(self._part(name, place).data)
        return digest.hexdigest()

    def _part(self, name: str, place: int) -> F32:
        layers = self._shape.layers
        return self.tensors[name][place * layers : (place + 1) * layers]


def unsupported() -> SkynetError:
    """The exported model has no graph for adapters."""
    return SkynetError("adapters_unsupported", "This model was exported without adapters.", 409)
