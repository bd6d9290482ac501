# SPDX-License-Identifier: Apache-2.0
"""Training: the selector, the teacher, HS-BART (content_generation, appendix: 0.7 CE + 0.3 MSE).

Each network begins by learning which tokens are kept: that is one forward pass and quickly learnt.
Its decoder then learns to say them; where it should look is known from the target, so that is told
as well (guided attention), which saves most of the steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from export.summariser.network import Summariser, distinct, steps

CE_SHARE, MSE_SHARE = 0.7, 0.3
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Windows:
    """IDS int64 [n, 64] (0 where there is none), MASK int64 and KEEP bool of the same shape."""

    ids: Tensor
    mask: Tensor
    keep: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def at(self, rows: Tensor) -> Windows:
        return Windows(self.ids[rows], self.mask[rows], self.keep[rows])


@dataclass(frozen=True)
class Stage:
    """`seconds` end it early: a budget of the machine, not of the method."""

    steps: int
    rate: float
    seconds: float
    batch: int = 64


def _batches(windows: Windows, stage: Stage, seed: int) -> Iterator[tuple[float, Windows]]:
    """(learning rate's share, batch): up in 5 % of the steps, down to nothing in a line."""
    generator = torch.Generator().manual_seed(seed)
    began = time.monotonic()
    done = 0.0
    step = 0
    while done < 1.0:
        rows = torch.randint(len(windows), (stage.batch,), generator=generator)
        yield min(1.0, done / 0.05 + 0.01) * (1.0 - done), windows.at(rows)
        step += 1
        done = max(step / stage.steps, (time.monotonic() - began) / stage.seconds)


def _optimise(
    network: nn.Module,
    windows: Windows,
    stage: Stage,
    loss_of: Callable[[Windows], Tensor],
    *,
    seed: int,
    tell: Progress,
) -> None:
    free = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(free, lr=stage.rate, weight_decay=0.01)
    network.train()
    for step, (share, batch) in enumerate(_batches(windows, stage, seed)):
        for group in optimiser.param_groups:
            group["lr"] = stage.rate * share
        loss = loss_of(batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(free, 1.0)
        optimiser.step()
        if step % 50 == 0:
            tell(f"step {step} loss {loss.item():.4f}")
    network.eval()


def selection_loss(network: Summariser, states: Tensor, batch: Windows) -> Tensor:
    """Cross entropy of kept or not, over the tokens that are there."""
    logits = network.kept(states)
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits, batch.keep.float(), reduction="none"
    )
    return (loss * batch.mask).sum() / batch.mask.sum()


def train_selector(
    network: Summariser, windows: Windows, stage: Stage, *, seed: int, tell: Progress
) -> None:
    """Encoder and head only."""

    def loss(batch: Windows) -> Tensor:
        return selection_loss(network, network.states(batch.ids, batch.mask), batch)

    _optimise(network, windows, stage, loss, seed=seed, tell=tell)


def train_bart(
    network: Summariser,
    windows: Windows,
    stage: Stage,
    *,
    seed: int,
    tell: Progress,
    teacher: Summariser | None = None,
) -> None:
    """The whole network; with a teacher, 0.7 CE + 0.3 MSE of the candidates' logits."""

    def loss(batch: Windows) -> Tensor:
        found = steps(batch.ids, batch.keep, network.end)
        states = network.states(batch.ids, batch.mask)
        logits, looked = network.logits(states, batch.ids, batch.mask, found.said)
        ce = nn.functional.cross_entropy(logits.flatten(0, 1), found.next.flatten())
        looking = nn.functional.nll_loss(
            torch.log(looked.flatten(0, 1) + 1e-6), found.place.flatten()
        )
        extra = looking + 0.3 * selection_loss(network, states, batch)
        if teacher is None:
            return ce + extra
        with torch.no_grad():
            theirs = teacher.states(batch.ids, batch.mask)
            wanted, _ = teacher.logits(theirs, batch.ids, batch.mask, found.said)
        counts = distinct(batch.ids, batch.mask)[:, None] & (found.next != -100)[..., None]
        mse = nn.functional.mse_loss(logits[counts], wanted[counts])
        return CE_SHARE * ce + MSE_SHARE * mse + extra

    _optimise(network, windows, stage, loss, seed=seed, tell=tell)


@torch.no_grad()  # type: ignore[untyped-decorator]
def kept_share(network: Summariser, windows: Windows) -> float:
    """Share of tokens on whose keeping network and target agree."""
    logits = network.kept(network.states(windows.ids, windows.mask))
    right = ((logits > 0) == windows.keep) & windows.mask.bool()
    return float(right.sum() / windows.mask.sum())


@torch.no_grad()  # type: ignore[untyped-decorator]
def next_share(network: Summariser, windows: Windows) -> float:
    """Share of steps whose best candidate is the target's."""
    found = steps(windows.ids, windows.keep, network.end)
    states = network.states(windows.ids, windows.mask)
    logits, _ = network.logits(states, windows.ids, windows.mask, found.said)
    learnt = found.next != -100
    return float((logits.argmax(-1) == found.next)[learnt].float().mean())
