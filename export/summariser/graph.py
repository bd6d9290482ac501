# SPDX-License-Identifier: Apache-2.0
"""The networks as ONNX, int8: one pass of the encoder, or all of HS-BART's greedy decoding.

HS-BART is unrolled: 32 steps with their KV cache in one graph, so the runtime is entered once for
all windows. Steps after the end cost the same as steps before it, and nearly every summary is full.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from bls.condense.summariser import GRAPHS, SELECTION
from bls.contracts import SUMMARY_TOKENS, SUMMARY_WINDOW
from export.quiet import quiet
from export.summariser.network import END, Summariser, addressed, distinct
from export.tve.onnx_export import plain

OPSET = 18
_NEVER = -1e4


class Selection(nn.Module):  # type: ignore[misc]
    """IDS, MASK -> SCORE."""

    def __init__(self, network: Summariser) -> None:
        super().__init__()
        self._network = network

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self._network.kept(self._network.states(ids, mask))


class Greedy(nn.Module):  # type: ignore[misc]
    """IDS, MASK -> PLACE: the best candidate 32 times, each step after what was said before."""

    def __init__(self, network: Summariser) -> None:
        super().__init__()
        self._network = network
        decoder = network.bart.model.decoder
        self._layers = decoder.layers
        self._normal = decoder.layernorm_embedding
        self.register_buffer("_places", decoder.embed_positions.weight[2:].clone())

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        network = self._network
        states = network.states(ids, mask)
        memory = addressed(states, network.kept(states), mask)
        unseen = (1.0 - mask.float())[:, None, None] * _NEVER
        across = [_keys_values(layer.encoder_attn, memory) for layer in self._layers]
        rows = network.bart.model.shared.weight
        candidates = rows[torch.cat([ids, torch.full_like(ids[:, :1], network.end)], 1)]
        counts = distinct(ids, mask)
        scale = network.bart.model.shared.embed_scale
        said = candidates[:, END:]
        ended = torch.zeros_like(ids[:, 0], dtype=torch.bool)
        past: list[tuple[Tensor, Tensor] | None] = [None] * len(self._layers)
        places = []
        for step in range(SUMMARY_TOKENS):
            hidden = self._normal(said * scale + self._places[step])
            for number, layer in enumerate(self._layers):
                hidden, past[number] = _step(layer, hidden, past[number], across[number], unseen)
            logits = (hidden @ candidates.transpose(1, 2))[:, 0].masked_fill(~counts, _NEVER)
            place = torch.where(ended, torch.full_like(ids[:, 0], END), logits.argmax(-1))
            ended = ended | (place == END)
            places.append(place)
            at = place[:, None, None].expand(-1, 1, candidates.shape[-1])
            said = torch.gather(candidates, 1, at)
        return torch.stack(places, 1)


def _heads(part: nn.Module, values: Tensor) -> Tensor:
    """[n, t, width] -> [n, heads, t, width of a head]."""
    count, width = int(part.num_heads), int(part.head_dim)
    return values.unflatten(2, (count, width)).transpose(1, 2)


def _keys_values(part: nn.Module, states: Tensor) -> tuple[Tensor, Tensor]:
    return _heads(part, part.k_proj(states)), _heads(part, part.v_proj(states))


def _look(part: nn.Module, hidden: Tensor, keys: Tensor, values: Tensor, unseen: Tensor) -> Tensor:
    """One query a row: [n, 1, width]."""
    query = _heads(part, part.q_proj(hidden) * part.scaling)
    weights = torch.softmax(query @ keys.transpose(2, 3) + unseen, -1)
    seen = (weights @ values).transpose(1, 2).flatten(2)
    looked: Tensor = part.out_proj(seen)
    return looked


def _step(
    layer: nn.Module,
    hidden: Tensor,
    past: tuple[Tensor, Tensor] | None,
    across: tuple[Tensor, Tensor],
    unseen: Tensor,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """A decoder layer of BART for one more token: hidden [n, 1, width], and its keys and values."""
    keys, values = _keys_values(layer.self_attn, hidden)
    if past is not None:
        keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
    nothing = torch.zeros(())
    own = _look(layer.self_attn, hidden, keys, values, nothing)
    hidden = layer.self_attn_layer_norm(hidden + own)
    other = _look(layer.encoder_attn, hidden, *across, unseen)
    hidden = layer.encoder_attn_layer_norm(hidden + other)
    inner = layer.fc2(nn.functional.gelu(layer.fc1(hidden)))
    return layer.final_layer_norm(hidden + inner), (keys, values)


def write_graph(network: Summariser, kind: str, path: Path, int8: bool = True) -> None:
    """Trace the network as `kind` (`selection`, `hs_bart`) and write `path`."""
    forward = (Selection if kind == SELECTION else Greedy)(network).eval()
    ids = torch.randint(1, network.end, (2, SUMMARY_WINDOW))
    mask = torch.ones_like(ids)
    mask[1, 40:] = 0
    (output,) = (tensor.name for tensor in GRAPHS[kind].outputs)
    traced = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's deprecation; constants in the trace
        torch.onnx.export(
            forward,
            (ids, mask),
            traced,
            dynamo=False,
            input_names=["IDS", "MASK"],
            output_names=[output],
            dynamic_axes={name: {0: "rows"} for name in ("IDS", "MASK", output)},
            opset_version=OPSET,
        )
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "f32.onnx"
        onnx.save(plain(onnx.load_from_string(traced.getvalue())), str(whole))
        _write(whole, path, int8)


def _write(whole: Path, path: Path, int8: bool) -> None:
    if not int8:
        path.write_bytes(whole.read_bytes())
        return
    rough = whole.with_name("int8.onnx")
    with quiet():
        quantize_dynamic(
            str(whole),
            str(rough),
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            extra_options={"MatMulConstBOnly": True},
        )
    onnx.save(plain(onnx.load(str(rough))), str(path))
