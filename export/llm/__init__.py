# SPDX-License-Identifier: Apache-2.0
"""LLM export: a GGUF file or a safetensors folder to a quantised ONNX folder, without torch."""

from export.llm.api import ensure_llm
from export.llm.cache import get_current, set_current

__all__ = ["ensure_llm", "get_current", "set_current"]
