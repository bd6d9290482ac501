# SPDX-License-Identifier: Apache-2.0
"""Sizes and schedules of the value model: defaults are what the shipped model was trained with."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.contracts import CTX


@dataclass(frozen=True)
class Dims:
    """Widths of one network. The defaults are the seed's (trajectory_value 2.2.2).

    Attributes:
        ctx: width of the context tower and of its output.
        ctx_tokens: pieces the 128 numbers are cut into; each becomes one token of the tower.
        ad: width of the ad tower and of its mean-pooled output.
        fused: width after the cross-attention.
        feed: feed-forward width of a layer, as a multiple of its tower's width.
    """

    ctx: int = 64
    ctx_tokens: int = 8
    ctx_layers: int = 2
    ad: int = 256
    ad_layers: int = 4
    fused: int = 128
    heads: int = 4
    feed: int = 2
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if CTX % self.ctx_tokens:
            raise ValueError(f"ctx_tokens must divide {CTX}")
        for name in ("ctx", "ad", "fused"):
            if getattr(self, name) % self.heads:
                raise ValueError(f"{name} must be a multiple of the {self.heads} heads")

    def half(self) -> Dims:
        """The student's: half of every hidden width, the same number of layers."""
        return Dims(
            ctx=self.ctx // 2,
            ctx_tokens=self.ctx_tokens,
            ctx_layers=self.ctx_layers,
            ad=self.ad // 2,
            ad_layers=self.ad_layers,
            fused=self.fused // 2,
            heads=self.heads,
            feed=self.feed,
            dropout=0.0,
        )


@dataclass(frozen=True)
class Stage:
    """One training stage: AdamW with a warm-up and a cosine fall to zero."""

    lr: float
    epochs: int
    warm_up: float = 0.1  # share of the steps

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.epochs < 1 or not 0 <= self.warm_up < 1:
            raise ValueError("a stage needs lr > 0, epochs >= 1 and 0 <= warm_up < 1")


@dataclass(frozen=True)
class TveConfig:
    """Everything besides data and seed that decides what is trained.

    The seed's rates (1e-4, 2e-5) and batch (1024) are for hours on four GPUs; these are for minutes
    on one core.

    Attributes:
        student_rate: the student's rate in stage 1, as a multiple: narrower layers take more.
        batch: samples of a step. They are drawn from about `batch / group` ads, so the ad tower
            reads each of those once.
        group: most samples of one ad that are drawn together.
        word_drop: share of an ad's tokens hidden from the tower while it trains.
        crps_weight: lambda_CRPS. Source: trajectory_value 2.2 D.
        l2_weight: of the mean squared weight. Source: as above.
        kd_share: 0.7 MSE + 0.3 KD. Source: trajectory_value 3.
        samples: Monte-Carlo samples of v_max in the CRPS. Source: appendix A.
        max_steps: an upper bound on every stage's steps; 0 is none. For smoke runs.
    """

    teacher: Dims = field(default_factory=Dims)
    similarity: Stage = Stage(lr=1e-3, epochs=1)
    supervised: Stage = Stage(lr=1e-3, epochs=2)
    distil: Stage = Stage(lr=2e-3, epochs=2)
    student_rate: float = 2.0
    batch: int = 256
    group: int = 16
    word_drop: float = 0.0
    crps_weight: float = 0.5
    l2_weight: float = 0.1
    kd_share: float = 0.3
    samples: int = 20
    max_steps: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if self.batch % self.group or self.samples < 2:
            raise ValueError("batch must be a multiple of group, and samples at least 2")
