# SPDX-License-Identifier: Apache-2.0
"""Thousands of random replies on a device against the definition, and against the CPU twin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from kernels_cuda.cuda import cases
from kernels_cuda.cuda.device import HOST_LIBRARY, Answer, Device, Options, Reply
from kernels_cuda.cuda.reference import LIMITS, differences, expect, top_is_right

# Exponents and logarithms of the maths library may differ in the last bit between processors.
SAME_BITS = ("token", "ref_token", "margin", "blend_token", "near_tie", "p_token", "critical_bid")
LARGE = [(rows, vocab) for vocab in (49_152, 50_007, 152_064) for rows in (1, 4, 16)] + [
    (33, 49_152)
]
SMALL = Options(replies=16, rows=12, vocab=3000)
REAL = Options(replies=16, rows=33, vocab=152_064)
Place = Callable[[Reply], Reply]


@dataclass
class Parity:
    """What one kernel got right."""

    kernel: str
    replies: int = 0
    wrong: int = 0
    precise: int = 0
    compared: int = 0  # with the CPU twin
    other_bits: int = 0
    worst: Counter[str] = field(default_factory=Counter)
    first_faults: list[str] = field(default_factory=list)

    def add(self, reply: Reply, got: Answer) -> None:
        """Judge one answer."""
        off = differences(got, expect(reply), np.asarray(reply.weights))
        wrong = [f"{name} {value:.3g}" for name, value in off.items() if not value <= LIMITS[name]]
        if not top_is_right(got, reply):
            wrong.append("top")
        self.replies += 1
        self.precise += got.precise
        self.wrong += bool(wrong)
        for name, value in off.items():
            self.worst[name] = max(self.worst[name], value)  # type: ignore[assignment]
        if wrong and len(self.first_faults) < 5:
            shape = np.shape(reply.logits)
            self.first_faults.append(f"{shape} {reply.draw or 'argmax'}: {', '.join(wrong)}")

    def compare_bits(self, got: Answer, twin: Answer) -> None:
        """Count an answer whose bits are not the CPU twin's."""
        same = all(
            np.asarray(getattr(got, name)).tobytes() == np.asarray(getattr(twin, name)).tobytes()
            for name in SAME_BITS
        )
        self.compared += 1
        self.other_bits += not same


def batches(count: int, seed: int) -> Iterator[list[Reply]]:
    """Small replies, up to 16 in a batch, `count` in all."""
    rng = np.random.default_rng(seed)
    while count > 0:
        size = min(int(rng.integers(1, 17)), count)
        yield [replace(cases.reply(rng), top=bool(rng.random() < 0.2)) for _ in range(size)]
        count -= size


def large_batches(seed: int) -> Iterator[list[Reply]]:
    """Replies of real sizes, alone and in pairs."""
    rng = np.random.default_rng(seed)
    for rows, vocab in LARGE:
        yield [cases.reply(rng, rows, vocab, sample) for sample in (False, True)]
        yield [cases.reply(rng, rows, vocab)]


def check(
    library: Path, options: Options, name: str, work: Iterator[list[Reply]], place: Place
) -> Parity:
    """Run the batches on one kernel; `place` puts a reply's logits where they shall be read."""
    parity = Parity(name)
    twin = Device(HOST_LIBRARY, options) if HOST_LIBRARY.exists() else None
    with Device(library, options) as device:
        for batch in work:
            answers = device.run([place(reply) for reply in batch])
            for reply, got in zip(batch, answers, strict=True):
                parity.add(reply, got)
            if twin is not None:
                for got, other in zip(answers, twin.run(batch), strict=True):
                    parity.compare_bits(got, other)
    if twin is not None:
        twin.close()
    return parity
