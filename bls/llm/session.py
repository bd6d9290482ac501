# SPDX-License-Identifier: Apache-2.0
"""The exported LLM as one object: run rows of a `KVCache` in place.

Tensors are bound once per run of rows and their small inputs rewritten in place, so a decode
step makes no allocation and copies nothing but the new logits.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bls.llm.kv_cache import KVCache
from export.manifest import LLMManifest

_BINDINGS_KEPT = 256
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


class LLMSession:
    """One ONNX LLM. Not thread-safe: the engine's thread owns it.

    Attributes:
        logits: f32 [rows, V]; a run of rows leaves its logits at the rows' own places.
    """

    def __init__(
        self, folder: Path, options: SessionOptions, logits: NDArray[np.float32] | None = None
    ) -> None:
        self.manifest = LLMManifest.load(folder)
        shape = (options.rows, self.manifest.vocab)
        self.logits = np.zeros(shape, np.float32) if logits is None else logits
        if self.logits.shape != shape:
            raise ValueError(f"logits: expected {shape}, got {self.logits.shape}")
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.inter_op_num_threads = 1
        spin = "1" if options.spin else "0"
        settings.add_session_config_entry("session.intra_op.allow_spinning", spin)
        settings.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_US)
        self._session = ort.InferenceSession(
            str(folder / "model.onnx"), settings, providers=list(options.providers)
        )
        self._bound: OrderedDict[tuple[KVCache, int, int], _Bound] = OrderedDict()

    def decode(
        self, cache: KVCache, start: int, tokens: NDArray[np.int64], past: NDArray[np.int32]
    ) -> None:
        """One token for each of n neighbouring rows; leaves logits[start : start + n].

        Args:
            start: first row in `cache`.
            tokens: [n] the token each row appends.
            past: [n] how many positions each row already holds.
        """
        bound = self._decode_binding(cache, start, len(tokens))
        bound.ids[:, 0] = tokens
        bound.lengths[:] = past
        bound.total[0] = past.max() + 1
        self._session.run_with_iobinding(bound.binding)

    def prefill(self, cache: KVCache, row: int, tokens: NDArray[np.int64], past: int) -> None:
        """Append `tokens` [S] to one row that holds `past` positions; logits[row] of the last.

        Results do not depend on how a prompt is cut, as long as every piece has at least
        `Limits.prefill_chunk_min` tokens (tested).
        """
        total = past + len(tokens)
        if total > cache.length:
            raise ValueError(f"row holds {cache.length} positions, needs {total}")
        bound = self._bind(cache, row, 1, len(tokens))
        bound.ids[0] = tokens
        bound.lengths[0] = total - 1
        bound.total[0] = total
        self._session.run_with_iobinding(bound.binding)

    def _decode_binding(self, cache: KVCache, start: int, rows: int) -> _Bound:
        key = (cache, start, rows)  # keeps the cache: a binding holds its addresses
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = self._bind(cache, start, rows, 1)
            if len(self._bound) > _BINDINGS_KEPT:
                self._bound.popitem(last=False)
        self._bound.move_to_end(key)
        return bound

    def _bind(self, cache: KVCache, start: int, rows: int, width: int) -> _Bound:
        binding = self._session.io_binding()
        bound = _Bound(
            binding,
            np.zeros((rows, width), np.int64),
            np.zeros(rows, np.int32),
            np.zeros(1, np.int32),
        )
        small: dict[str, NDArray[Any]] = {
            "input_ids": bound.ids,
            "seqlens_k": bound.lengths,
            "total_sequence_length": bound.total,
        }
        for name, array in small.items():
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        for name, shape, address in cache.tensors(start, rows):
            binding.bind_input(f"past_{name}", "cpu", 0, np.float32, shape, address)
            binding.bind_output(f"present_{name}", "cpu", 0, np.float32, shape, address)
        logits = self.logits[start : start + rows]
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        return bound
