# SPDX-License-Identifier: Apache-2.0
"""A tiny random llama model, made by the same exporter, for tests that need no real one.

Two layers, hidden 64, two heads over one KV head of 32, vocabulary 512 with ChatML markers. Its
weights lie on the int4 and int8 grids, so the export of this model is lossless.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from export.llm.api import Progress, ensure_llm
from export.llm.quant import BLOCK, F32

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content']"
    " + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATS = Path(__file__).with_name("parity_chats.jsonl")
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "intermediate_size": 128,
    "vocab_size": 512,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def ensure_tiny_llm(cache_dir: Path, seed: int = 0, progress: Progress | None = None) -> Path:
    """The exported tiny model; its source lies in `<cache_dir>/tiny-<seed>`."""
    folder = write_tiny_source(cache_dir / f"tiny-{seed}", seed)
    return ensure_llm(str(folder), cache_dir, progress)


def write_tiny_source(folder: Path, seed: int = 0) -> Path:
    """Write config.json, tokenizer.json, tokenizer_config.json and model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    template = json.dumps({"chat_template": CHATML})
    (folder / "tokenizer_config.json").write_text(template, encoding="utf-8")
    train_tokenizer(int(CONFIG["vocab_size"])).save(str(folder / "tokenizer.json"))
    write_safetensors(folder / "model.safetensors", tiny_weights(seed))
    return folder


def train_tokenizer(vocab: int) -> Tokenizer:
    """Byte-level BPE with single digits, trained on the parity chats."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CHATS.read_text(encoding="utf-8").splitlines(), trainer)
    return tokenizer


def tiny_weights(seed: int) -> dict[str, F32]:
    """Random tensors by their transformers names."""
    rng = np.random.default_rng(seed)
    hidden, inner = int(CONFIG["hidden_size"]), int(CONFIG["intermediate_size"])
    kv = int(CONFIG["num_key_value_heads"]) * int(CONFIG["head_dim"])
    shapes = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (kv, hidden),
        "self_attn.v_proj": (kv, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    vocab = int(CONFIG["vocab_size"])
    weights = {
        "model.embed_tokens.weight": _on_grid(rng, (vocab, hidden), 127, 127, 1024),
        "model.norm.weight": _norm(rng, hidden),
    }
    for layer in range(int(CONFIG["num_hidden_layers"])):
        at = f"model.layers.{layer}."
        weights[at + "input_layernorm.weight"] = _norm(rng, hidden)
        weights[at + "post_attention_layernorm.weight"] = _norm(rng, hidden)
        for name, shape in shapes.items():
            weights[f"{at}{name}.weight"] = _on_grid(rng, shape, 8, 7, 32)
    return weights


def write_safetensors(path: Path, tensors: dict[str, Any]) -> None:
    """Write f32, f16 or int32 arrays in the safetensors layout."""
    kinds = {"float32": "F32", "float16": "F16", "int32": "I32"}
    header: dict[str, Any] = {}
    offset = 0
    for name, array in tensors.items():
        header[name] = {
            "dtype": kinds[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def _norm(rng: np.random.Generator, size: int) -> F32:
    return rng.uniform(0.5, 1.5, size).astype(np.float32)


def _on_grid(
    rng: np.random.Generator, shape: tuple[int, int], low: int, high: int, steps: int
) -> F32:
    """Integers in -low..high over `steps`; both ends in every block of 32 make rounding exact."""
    codes = rng.integers(-low, high + 1, (shape[0], shape[1] // BLOCK, BLOCK))
    codes[..., 0], codes[..., 1] = -low, high
    return (codes.reshape(shape) / np.float32(steps)).astype(np.float32)
