# SPDX-License-Identifier: Apache-2.0
"""The exported graph run as it is served: KV cache bound in place, rows chosen by slice.

Small on purpose: the parity report and the tests use it; the serving engine has its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from export.llm.quant import F32
from export.manifest import LLMManifest


class OnnxLLM:
    """`rows` KV slots of `max_len` positions; `forward` advances some of them."""

    def __init__(
        self,
        folder: Path,
        rows: int,
        max_len: int,
        threads: int = 2,
        config: dict[str, str] | None = None,
    ) -> None:
        self.manifest = LLMManifest.load(folder, verify=False)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        for key, value in (config or {}).items():
            options.add_session_config_entry(key, value)
        path = str(folder / "model.onnx")
        self.session: Any = ort.InferenceSession(path, options, ["CPUExecutionProvider"])
        shape = (rows, self.manifest.kv_heads, max_len, self.manifest.head_dim)
        self.cache: dict[str, F32] = {
            f"{part}_{layer}": np.zeros(shape, np.float32)
            for layer in range(self.manifest.layers)
            for part in ("key", "value")
        }

    def forward(
        self, ids: npt.ArrayLike, past: npt.ArrayLike, first_row: int = 0
    ) -> npt.NDArray[np.float32]:
        """Feed `ids` [B, S] to rows first_row.. after `past` [B] tokens; logits f32 [B, V]."""
        tokens = np.ascontiguousarray(ids, np.int64)
        batch, length = tokens.shape
        seqlens = np.asarray(past, np.int32) + np.int32(length - 1)
        total = np.array([seqlens.max() + 1], np.int32)
        logits = np.empty((batch, self.manifest.vocab), np.float32)
        binding = self.session.io_binding()
        inputs = {
            "input_ids": tokens,
            "seqlens_k": np.ascontiguousarray(seqlens),
            "total_sequence_length": total,
        }
        for name, array in inputs.items():
            _bind(binding.bind_input, name, array)
        _bind(binding.bind_output, "logits", logits)
        for name, cache in self.cache.items():
            rows = cache[first_row : first_row + batch]
            _bind(binding.bind_input, f"past_{name}", rows)
            _bind(binding.bind_output, f"present_{name}", rows)
        self.session.run_with_iobinding(binding)
        return logits

    def prefill(self, ids: npt.ArrayLike, row: int, chunk: int) -> npt.NDArray[np.float32]:
        """Feed one prompt in chunks; logits of the last position, f32 [1, V]."""
        tokens = np.asarray(ids, np.int64)
        logits = np.empty((1, 0), np.float32)
        for start in range(0, len(tokens), chunk):
            logits = self.forward(tokens[None, start : start + chunk], [start], row)
        return logits


def _bind(method: Any, name: str, array: npt.NDArray[Any]) -> None:
    method(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
