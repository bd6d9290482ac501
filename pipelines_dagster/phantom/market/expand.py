# SPDX-License-Identifier: Apache-2.0
"""Catalogue expansion: from a kernel over acts to one over (act, item) pairs.

Source: PHANTOM's model: "each action x action cell becomes an item x item block weighted by the
normalised demand (Kronecker), plus generic states; rows must stay stochastic". With K the kernel
over acts, w the normalised demand of m items, and a probability s of staying on an item (0 is the
published block; s is an addition of ours):

    (a, i) -> (b, j):  K[a, b] (s [i = j] + (1 - s) w[j])     both on items
    g      -> (b, j):  K[g, b] w[j]                           from a generic act
    any    -> h:       K[., h]                                to a generic act

so rows sum to 1, and summing over items gives K back: the expansion never invents behaviour. States
are ordered act by act over its items, then the generic acts.

Written out, the blocks are dense: 14 acts x 1,000 items are 196 million entries. `Expansion` keeps
the factors (K and w) and multiplies and samples with them, exactly; `sparse` writes a scipy CSR
matrix, in which `top` keeps the most wanted items of a block and their share is renormalised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bls.errors import invalid
from pipelines_dagster.phantom.market.behaviour import ON_ITEM

F64 = NDArray[np.float64]
NO_ITEM = -1
MOST = 50_000_000
"""Entries that `sparse` writes at most: 600 MB."""


@dataclass(frozen=True)
class Expansion:
    """A kernel over (act, item).

    Attributes:
        kernel: K [acts, acts], rows of probabilities.
        demand: normalised demand w [items], a law.
        on_item: which acts concern an item [acts].
        stay: s in [0, 1).

    Raises:
        SkynetError: `bad_expansion`.
    """

    kernel: F64
    demand: F64
    on_item: NDArray[np.bool_] = field(default_factory=lambda: ON_ITEM)
    stay: float = 0.0

    def __post_init__(self) -> None:
        acts = len(self.on_item)
        for rows, shape in ((self.kernel, (acts, acts)), (self.demand, (len(self.demand),))):
            fair = rows.shape == shape and rows.size and (rows >= 0).all()
            if not (fair and np.allclose(rows.sum(axis=-1), 1, atol=1e-9)):
                raise invalid("bad_expansion", "An expansion needs rows of probabilities.")
        if not 0 <= self.stay < 1:
            raise invalid("bad_expansion", "To stay has a probability in [0, 1).", "stay")

    @property
    def items(self) -> int:
        return len(self.demand)

    @cached_property
    def bound(self) -> NDArray[np.int64]:
        """Numbers of the acts on items."""
        return np.flatnonzero(self.on_item)

    @cached_property
    def generic(self) -> NDArray[np.int64]:
        """Numbers of the acts on none."""
        return np.flatnonzero(~self.on_item)

    @property
    def states(self) -> int:
        return len(self.bound) * self.items + len(self.generic)

    def state(self, act: int, item: int) -> int:
        """Place of a pair; `item` is not read for a generic act."""
        if self.on_item[act]:
            return int(np.searchsorted(self.bound, act)) * self.items + item
        return len(self.bound) * self.items + int(np.searchsorted(self.generic, act))

    def forward(self, law: F64) -> F64:
        """`law @ P` [states] without P: O(acts^2 x items)."""
        on, off = self._split(law)
        cell = self.kernel[np.ix_(self.bound, self.bound)]
        moved = self.stay * (cell.T @ on)
        into = (1 - self.stay) * (on.sum(axis=1) @ cell)
        into += off @ self.kernel[np.ix_(self.generic, self.bound)]
        moved += into[:, None] * self.demand
        out = on.sum(axis=1) @ self.kernel[np.ix_(self.bound, self.generic)]
        out += off @ self.kernel[np.ix_(self.generic, self.generic)]
        return np.concatenate([moved.reshape(-1), out])

    def sparse(self, top: int | None = None) -> Any:
        """P as `scipy.sparse.csr_matrix` [states, states].

        Args:
            top: items that a block may jump to, the most wanted; None: all of them, exact.

        Raises:
            SkynetError: `expansion_too_large`, past `MOST` entries; `bad_expansion` for top < 1.
        """
        law = self._most_wanted(top)
        wanted = int((law > 0).sum())
        if self.states * (len(self.bound) * (wanted + 1) + len(self.generic)) > MOST:
            raise invalid("expansion_too_large", "Too many entries: keep fewer items a block.")
        jump = sparse.csr_matrix(np.ones((self.items, 1))) @ sparse.csr_matrix(law[None])
        block = self.stay * sparse.identity(self.items, format="csr") + (1 - self.stay) * jump
        one, row = np.ones((self.items, 1)), sparse.csr_matrix(law[None])
        cells = {
            (way, other): sparse.csr_matrix(self.kernel[np.ix_(way_acts, other_acts)])
            for way, way_acts in (("on", self.bound), ("off", self.generic))
            for other, other_acts in (("on", self.bound), ("off", self.generic))
        }
        parts = [
            [sparse.kron(cells["on", "on"], block), sparse.kron(cells["on", "off"], one)],
            [sparse.kron(cells["off", "on"], row), cells["off", "off"]],
        ]
        return sparse.bmat(parts, format="csr")

    def sample(self, found: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.int32]:
        """Items i32[n, longest] of trajectories of acts (`behaviour.acts`), `NO_ITEM` off items.

        The chain of acts is K's own, whatever the items: so acts first, then their items.
        """
        on = (found >= 0) & self.on_item[found]
        drawn = np.searchsorted(np.cumsum(self.demand)[:-1], rng.random(found.shape), side="right")
        keep = rng.random(found.shape) < self.stay
        keep[:, 1:] &= on[:, :-1]
        keep[:, :1] = False
        origin = np.where(keep, 0, np.arange(found.shape[1]))
        origin = np.maximum.accumulate(origin, axis=1)
        items = np.take_along_axis(drawn, origin, axis=1)
        return np.where(on, items, NO_ITEM).astype(np.int32)

    def _split(self, law: F64) -> tuple[F64, F64]:
        edge = len(self.bound) * self.items
        return law[:edge].reshape(len(self.bound), self.items), law[edge:]

    def _most_wanted(self, top: int | None) -> F64:
        if top is None or top >= self.items:
            return self.demand
        if top < 1:
            raise invalid("bad_expansion", "A block keeps one item or more.", "top")
        law = np.zeros(self.items)
        kept = np.argsort(-self.demand, kind="stable")[:top]
        law[kept] = self.demand[kept] / self.demand[kept].sum()
        return law
