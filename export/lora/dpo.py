# SPDX-License-Identifier: Apache-2.0
"""Direct preference optimisation of a LoRA (Rafailov et al. 2023, arXiv 2305.18290, eq. 7).

    L = -w log sigmoid(beta (g(y_c) - g(y_r))),    g(y) = log pi(y|x) - log ref(y|x)

beta = 0.1; w = log(1 + clicks of y_c) - log(1 + clicks of y_r), scaled to a mean of 1: the seed's
reward log(1 + click) decides which message is the chosen one, and how much the pair counts. The
reference is the same model with its adapter off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from torch.nn import functional

from export.llm.lora_graph import RANK, TARGETS
from export.lora.encode import Batch

Told = Callable[[int, float], None]


@dataclass(frozen=True)
class DPOConfig:
    """`rank` at most the graph's; `alpha / rank` scales the update."""

    beta: float = 0.1
    rank: int = RANK
    alpha: float = 64.0
    learning_rate: float = 2e-4
    steps: int = 40
    batch: int = 4
    clip: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= RANK or self.beta <= 0 or min(self.steps, self.batch) < 1:
            raise ValueError("DPO options out of range")


@dataclass(frozen=True)
class Score:
    """On n pairs. margin: of rewards beta log(pi/ref), chosen minus rejected; accuracy: share of
    pairs with a margin > 0; likelier: share whose chosen message has the larger log pi per token;
    kl: mean KL(pi || ref) per scored token of the chosen messages, nats."""

    loss: float
    margin: float
    accuracy: float
    likelier: float
    kl: float


def adapted(base: Any, config: DPOConfig, seed: int) -> Any:
    """The base with a fresh adapter: its B is zero, so it begins as the reference."""
    torch.manual_seed(seed)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules=[f"{kind}_proj" for kind in TARGETS],
        bias="none",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, lora)


def train(model: Any, batches: Sequence[Batch], config: DPOConfig, told: Told) -> None:
    """Go through `batches` again and again for `config.steps` steps of AdamW."""
    learned = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=config.learning_rate, weight_decay=0.0)
    reference = [_reference(model, batch) for batch in batches]
    model.train()
    for step, (batch, ref) in enumerate(_around(batches, reference, config.steps)):
        warm = min(1.0, (step + 1) / max(1, config.steps // 10))
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * warm
        loss = _loss(log_likelihood(model, batch), ref, batch.weight, config.beta)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, config.clip)
        optimiser.step()
        told(step + 1, float(loss.detach()))
    model.eval()


@torch.no_grad()  # type: ignore[untyped-decorator]
def evaluate(model: Any, batches: Sequence[Batch], config: DPOConfig) -> Score:
    """Of an adapted model, against itself with the adapter off."""
    model.eval()
    rows: list[list[Tensor]] = []
    for batch in batches:
        logits = _log_probs(model, batch)
        with model.disable_adapter():
            before = _log_probs(model, batch)
        ours, theirs = _summed(logits, batch), _summed(before, batch)
        n = len(batch.weight)
        margin = config.beta * ((ours - theirs)[:n] - (ours - theirs)[n:])
        loss = -batch.weight * functional.logsigmoid(margin)
        per_token = ours / batch.scored[:, 1:].sum(dim=1)
        scored = batch.scored[:n, 1:]
        kl = (logits[:n].exp() * (logits[:n] - before[:n])).sum(dim=-1)[scored].mean()
        likelier = (per_token[:n] > per_token[n:]).float()
        rows.append([loss, margin, (margin > 0).float(), likelier, kl.expand(n)])
    means = [float(torch.cat(column).mean()) for column in zip(*rows, strict=True)]
    return Score(*means)


def log_likelihood(model: Any, batch: Batch) -> Tensor:
    """log pi(message | prompt) of every row, f32 [2n]."""
    return _summed(_log_probs(model, batch), batch)


@torch.no_grad()  # type: ignore[untyped-decorator]
def _reference(model: Any, batch: Batch) -> Tensor:
    with model.disable_adapter():
        return log_likelihood(model, batch)


def _loss(ours: Tensor, reference: Tensor, weight: Tensor, beta: float) -> Tensor:
    n = len(weight)
    gain = ours - reference
    return (-weight * functional.logsigmoid(beta * (gain[:n] - gain[n:]))).mean()


def _log_probs(model: Any, batch: Batch) -> Tensor:
    """[2n, L - 1, V], of what follows each position. Padding is on the right: it needs no mask."""
    logits: Tensor = model(input_ids=batch.ids[:, :-1], use_cache=False).logits
    return functional.log_softmax(logits.float(), dim=-1)


def _summed(log_probs: Tensor, batch: Batch) -> Tensor:
    chosen = log_probs.gather(-1, batch.ids[:, 1:, None])[..., 0]
    return (chosen * batch.scored[:, 1:]).sum(dim=1)


def _around(
    batches: Sequence[Batch], reference: Sequence[Tensor], steps: int
) -> Iterator[tuple[Batch, Tensor]]:
    for step in range(steps):
        at = step % len(batches)
        yield batches[at], reference[at]
