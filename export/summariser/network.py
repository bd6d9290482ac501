# SPDX-License-Identifier: Apache-2.0
"""HS-BART and the token-selection student: BART's layers over the LLM's own token embedding.

The whole vocabulary of the served LLM is kept, its embedding reduced by PCA and frozen, so a token
that no training chat had is still known by its neighbours. A summary takes its words from its
window: the softmax of the decoder goes over the distinct tokens of the window and the end, which
are the same logits BART has for them, at 65 instead of 49,152 products a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import BartConfig, BartForConditionalGeneration

from bls.contracts import SUMMARY_TOKENS, SUMMARY_WINDOW

END = SUMMARY_WINDOW
"""Place of the end among the candidates 0..64: the window's tokens, then the end."""

_NEVER = -1e4


@dataclass(frozen=True)
class Dims:
    """`width` of everything, and layers."""

    width: int
    encoder: int
    decoder: int
    heads: int = 4


TEACHER = Dims(width=160, encoder=3, decoder=2)
STUDENT = Dims(width=128, encoder=2, decoder=1)


def reduced(embedding: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The rows in their first `width` principal directions, f32 [V, width] of unit norm."""
    centred = embedding - embedding.mean(0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    narrow = centred @ vectors[:, ::-1][:, :width]
    norm: NDArray[np.float32] = np.linalg.norm(narrow, axis=1, keepdims=True)
    return np.asarray(narrow / np.maximum(norm, 1e-6), np.float32)


def sinusoids(places: int, width: int) -> NDArray[np.float32]:
    """f32 [places, width]: a neighbour is a turn away, so looking one back is quickly learnt."""
    rates = 10_000.0 ** (-np.arange(0, width, 2) / width)
    angles = np.arange(places)[:, None] * rates
    turned: NDArray[np.float32] = np.concatenate([np.sin(angles), np.cos(angles)], 1)
    return turned.astype(np.float32)


def addressed(states: Tensor, kept: Tensor, mask: Tensor) -> Tensor:
    """Encoder states with an address each: the place that the token will have in the summary, if it
    is kept. `kept` are the logits; the decoder's step t then only has to look for place t."""
    chance = torch.sigmoid(kept) * mask
    place = torch.cumsum(chance, 1) + 1.0  # BART's positions begin with 2
    width = states.shape[-1]
    rates = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    angles = place[..., None] * rates
    address = torch.cat([torch.sin(angles), torch.cos(angles)], -1)
    return states + address * chance[..., None]


def build(dims: Dims, table: NDArray[np.float32]) -> BartForConditionalGeneration:
    """A BART of these sizes; `table` f32 [V, width] is its frozen, tied embedding. The end's own
    row is the last one, the only one that is trained."""
    vocab = len(table) + 1
    config = BartConfig(
        vocab_size=vocab,
        d_model=dims.width,
        encoder_layers=dims.encoder,
        decoder_layers=dims.decoder,
        encoder_attention_heads=dims.heads,
        decoder_attention_heads=dims.heads,
        encoder_ffn_dim=4 * dims.width,
        decoder_ffn_dim=4 * dims.width,
        max_position_embeddings=SUMMARY_WINDOW,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        scale_embedding=True,
        bos_token_id=vocab - 1,
        eos_token_id=vocab - 1,
        pad_token_id=vocab - 1,
        decoder_start_token_id=vocab - 1,
        forced_eos_token_id=None,
        attn_implementation="eager",
    )
    bart = BartForConditionalGeneration(config)
    end = torch.randn(1, dims.width)
    rows = torch.cat([torch.from_numpy(table), end / end.norm()])
    with torch.no_grad():
        bart.model.shared.weight.copy_(rows)
        for places in (bart.model.encoder.embed_positions, bart.model.decoder.embed_positions):
            places.weight.copy_(torch.from_numpy(sinusoids(*places.weight.shape)))
        for layer in bart.model.decoder.layers:  # to begin with, a copy of what is looked at
            look = layer.encoder_attn
            for part in (look.q_proj, look.k_proj, look.v_proj, look.out_proj):
                part.weight.copy_(torch.eye(dims.width))
    bart.model.shared.weight.requires_grad_(False)
    return bart


class Summariser(nn.Module):  # type: ignore[misc]
    """BART with a head on its encoder that says which tokens are worth keeping."""

    def __init__(self, dims: Dims, table: NDArray[np.float32]) -> None:
        super().__init__()
        self.dims = dims
        self.bart = build(dims, table)
        self.score = nn.Linear(dims.width, 1)

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The encoder's last layer, f32 [n, 64, width]; `mask` is 1 where a token is."""
        encoder = self.bart.model.encoder
        states: Tensor = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return states

    def kept(self, states: Tensor) -> Tensor:
        """Logits that a token is kept, f32 [n, 64]."""
        scores: Tensor = self.score(states).squeeze(-1)
        return scores

    def logits(
        self, states: Tensor, ids: Tensor, mask: Tensor, said: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits [n, t, 65] of the candidates after each of `said` [n, t], and where each step
        looked, [n, t, 64] (mean over heads of the last layer)."""
        found = self.bart.model.decoder(
            input_ids=said,
            encoder_hidden_states=addressed(states, self.kept(states).detach(), mask),
            encoder_attention_mask=mask,
            output_attentions=True,
            use_cache=False,
        )
        candidates = torch.cat([ids, torch.full_like(ids[:, :1], self.end)], 1)
        rows = self.bart.model.shared(candidates) / self.bart.model.shared.embed_scale
        logits = found.last_hidden_state @ rows.transpose(1, 2)
        logits = logits.masked_fill(~distinct(ids, mask)[:, None], _NEVER)
        return logits, found.cross_attentions[-1].mean(1)

    @property
    def end(self) -> int:
        return int(self.bart.config.eos_token_id)


def distinct(ids: Tensor, mask: Tensor) -> Tensor:
    """Candidates that count, bool [n, 65]: the first of each token, and the end."""
    same = (ids[:, :, None] == ids[:, None, :]) & mask[:, None, :].bool()
    earlier = torch.tril(torch.ones_like(same[0]), -1)
    first = mask.bool() & ~(same & earlier.bool()).any(-1)
    return torch.cat([first, torch.ones_like(first[:, :1])], 1)


@dataclass(frozen=True)
class Steps:
    """What a decoder learns of windows: `said` [n, 33] goes in, candidate `next` [n, 33] should
    come out, found at `place` [n, 33]; -100 where there is nothing to learn."""

    said: Tensor
    next: Tensor
    place: Tensor


def steps(ids: Tensor, keep: Tensor, end: int) -> Steps:
    """Teacher forcing for targets: int64 [n, 64] and bool [n, 64]."""
    count, length = len(ids), SUMMARY_TOKENS + 1
    said = torch.full((count, length), end)
    following = torch.full((count, length), -100)
    place = torch.full((count, length), -100)
    for row in range(count):
        at = keep[row].nonzero().squeeze(1)[:SUMMARY_TOKENS]
        tokens = ids[row, at]
        said[row, 1 : len(at) + 1] = tokens
        place[row, : len(at)] = at
        following[row, : len(at)] = (ids[row][None] == tokens[:, None]).long().argmax(1)
        following[row, len(at)] = END
    return Steps(said, following, place)
