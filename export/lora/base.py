# SPDX-License-Identifier: Apache-2.0
"""The LLM as a torch model, with the weights that are served: float32, dequantised from its source.

The class is transformers' own `LlamaForCausalLM`; nothing is fetched and no code of a hub runs.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from export.errors import ExportError
from export.llm.checkpoint import Checkpoint

_NAMES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
_NORMS = {"attention": "input_layernorm", "mlp": "post_attention_layernorm"}


def load_base(checkpoint: Checkpoint) -> Any:
    """A `LlamaForCausalLM` in evaluation mode. Raises `architecture_unsupported`."""
    model = LlamaForCausalLM(_config(checkpoint))
    missing, unexpected = model.load_state_dict(_weights(checkpoint), strict=False)
    tied = {"lm_head.weight"} if checkpoint.head() is None else set()
    if set(missing) - tied or unexpected:
        raise ExportError("architecture_unsupported", "the torch model has other tensors")
    model.tie_weights()
    return model.eval()


def _config(checkpoint: Checkpoint) -> LlamaConfig:
    config = checkpoint.config
    if config.rope_factors is not None:
        raise ExportError("architecture_unsupported", "scaled rotary embeddings are not trained")
    return LlamaConfig(
        vocab_size=config.vocab,
        hidden_size=config.hidden,
        intermediate_size=config.intermediate,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        head_dim=config.head_dim,
        max_position_embeddings=config.max_context,
        rms_norm_eps=config.rms_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=checkpoint.head() is None,
        attn_implementation="eager",
    )


def _weights(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """By transformers' names."""
    found = {
        "model.embed_tokens.weight": checkpoint.embedding().dequantise(),
        "model.norm.weight": checkpoint.final_norm(),
    }
    head = checkpoint.head()
    if head is not None:
        found["lm_head.weight"] = head.dequantise()
    for layer in range(checkpoint.config.layers):
        at = f"model.layers.{layer}."
        for kind, name in _NAMES.items():
            found[f"{at}{name}.weight"] = checkpoint.projection(layer, kind).dequantise()
        for kind, name in _NORMS.items():
            found[f"{at}{name}.weight"] = checkpoint.norm(layer, kind)
    return {name: torch.from_numpy(array.copy()) for name, array in found.items()}
