# SPDX-License-Identifier: Apache-2.0
"""The LLM engine behind `llm_step`: KV slots, continuous batching, chunked prefill."""
