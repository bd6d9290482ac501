# SPDX-License-Identifier: Apache-2.0
"""The exported LLM as one object: run rows of a `KVCache` in place.

Tensors are bound once per run of rows and their small inputs rewritten in place, so a decode
step makes no allocation and copies nothing but the new logits.

Rows with an adapter run in a second graph (`export.llm.lora_graph`) over the same memory. It is
opened with the first adapter. A batch in which no row has one never sees it; one that mixes
conversations sends the plain rows through it too, and their bits are the same.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bls.limits import LIMITS
from bls.llm.adapter_bank import ADAPTER_SLOTS, AdapterBank
from bls.llm.adapter_file import AdapterShape
from bls.llm.kv_cache import KVCache
from export.manifest import LORA, PLAIN, LLMManifest

_BINDINGS_KEPT = 256
_NO_ROWS = np.empty(0, np.int64)
_SPIN_US = "200"
"""Long enough to bridge two operators, too short to hold a core between two batches."""


@dataclass(frozen=True)
class SessionOptions:
    """How onnxruntime runs; `spin` keeps its threads hot between operators, `rows` is how many
    rows of logits there are room for."""

    threads: int
    rows: int
    spin: bool = True
    providers: tuple[str, ...] = ("CPUExecutionProvider",)


@dataclass
class _Bound:
    """A binding with the small arrays it reads."""

    binding: ort.IOBinding
    ids: NDArray[np.int64]
    lengths: NDArray[np.int32]
    total: NDArray[np.int32]
    rows: NDArray[np.int64]
    slots: NDArray[np.int64]


class LLMSession:
    """One ONNX LLM. Not thread-safe: the engine's thread owns it.

    Attributes:
        logits: f32 [rows, V]; a run of rows leaves its logits at the rows' own places.
        bank: of adapters; None when the model was exported without a graph for them.
    """

    def __init__(
        self, folder: Path, options: SessionOptions, logits: NDArray[np.float32] | None = None
    ) -> None:
        self.manifest = LLMManifest.load(folder)
        shape = (options.rows, self.manifest.vocab)
        self.logits = np.zeros(shape, np.float32) if logits is None else logits
        if self.logits.shape != shape:
            raise ValueError(f"logits: expected {shape}, got {self.logits.shape}")
        self._folder, self._options = folder, options
        self._session = self._open(PLAIN)
        self._adapted: ort.InferenceSession | None = None
        self._opening = threading.Lock()
        self.bank: AdapterBank | None = None
        if LORA in self.manifest.files:
            self.bank = AdapterBank(_shape(self.manifest), ADAPTER_SLOTS, self.open_adapters)
        self._bound: OrderedDict[tuple[KVCache, int, int, int], _Bound] = OrderedDict()

    def open_adapters(self) -> None:
        """Open the graph with adapters, once; from any thread."""
        with self._opening:
            if self._adapted is None:
                self._adapted = self._open(LORA)

    def decode(
        self,
        cache: KVCache,
        start: int,
        tokens: NDArray[np.int64],
        past: NDArray[np.int32],
        slots: NDArray[np.int64] | None = None,
    ) -> None:
        """One token for each of n neighbouring rows; leaves logits[start : start + n].

        Args:
            start: first row in `cache`.
            tokens: [n] the token each row appends.
            past: [n] how many positions each row already holds.
            slots: [n] place of each row's adapter in the bank, -1 for none; None: no row has one.
        """
        chosen = _NO_ROWS if slots is None else np.flatnonzero(slots >= 0)
        bound = self._decode_binding(cache, start, len(tokens), len(chosen))
        if slots is not None:
            bound.rows[:] = chosen
            bound.slots[:] = slots[chosen]
        bound.ids[:, 0] = tokens
        bound.lengths[:] = past
        bound.total[0] = past.max() + 1
        self._run(bound)

    def prefill(
        self, cache: KVCache, row: int, tokens: NDArray[np.int64], past: int, slot: int = -1
    ) -> None:
        """Append `tokens` [S] to one row that holds `past` positions; logits[row] of the last.
        `slot` is the place of the row's adapter in the bank.

        Results do not depend on how a prompt is cut, as long as every piece has at least
        `Limits.prefill_chunk_min` tokens (tested).
        """
        total = past + len(tokens)
        if total > cache.length:
            raise ValueError(f"row holds {cache.length} positions, needs {total}")
        bound = self._bind(cache, row, 1, len(tokens), int(slot >= 0))
        bound.slots[:] = slot
        bound.ids[0] = tokens
        bound.lengths[0] = total - 1
        bound.total[0] = total
        self._run(bound)

    def _open(self, name: str) -> ort.InferenceSession:
        options = self._options
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.inter_op_num_threads = 1
        spin = "1" if options.spin else "0"
        settings.add_session_config_entry("session.intra_op.allow_spinning", spin)
        settings.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_US)
        path, providers = str(self._folder / name), list(options.providers)
        return ort.InferenceSession(path, settings, providers=providers)

    def _run(self, bound: _Bound) -> None:
        session: Any = self._adapted if len(bound.rows) else self._session
        session.run_with_iobinding(bound.binding)

    def _decode_binding(self, cache: KVCache, start: int, rows: int, adapted: int) -> _Bound:
        key = (cache, start, rows, adapted)  # keeps the cache: a binding holds its addresses
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = self._bind(cache, start, rows, 1, adapted)
            if len(self._bound) > _BINDINGS_KEPT:
                self._bound.popitem(last=False)
        self._bound.move_to_end(key)
        return bound

    def _bind(self, cache: KVCache, start: int, rows: int, width: int, adapted: int) -> _Bound:
        """A binding for `rows` x `width` tokens, `adapted` of the rows with an adapter."""
        session: Any = self._adapted if adapted else self._session
        binding = session.io_binding()
        bound = _Bound(
            binding,
            np.zeros((rows, width), np.int64),
            np.zeros(rows, np.int32),
            np.zeros(1, np.int32),
            np.zeros(adapted, np.int64),
            np.zeros(adapted, np.int64),
        )
        small: dict[str, NDArray[Any]] = {
            "input_ids": bound.ids,
            "seqlens_k": bound.lengths,
            "total_sequence_length": bound.total,
        }
        if adapted and self.bank is not None:
            small |= {"lora_rows": bound.rows, "lora_slot": bound.slots, **self.bank.tensors}
        for name, array in small.items():
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        for name, shape, address in cache.tensors(start, rows):
            binding.bind_input(f"past_{name}", "cpu", 0, np.float32, shape, address)
            binding.bind_output(f"present_{name}", "cpu", 0, np.float32, shape, address)
        logits = self.logits[start : start + rows]
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        return bound


def _shape(manifest: LLMManifest) -> AdapterShape:
    """What the graph takes: rank-64 adapters on Q and V."""
    head = manifest.head_dim
    widths = {"q": manifest.heads * head, "v": manifest.kv_heads * head}
    rank, base = LIMITS.adapter_rank, manifest.source_sha256
    return AdapterShape(manifest.layers, manifest.hidden, rank, widths, base)
