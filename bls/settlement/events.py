# SPDX-License-Identifier: Apache-2.0
"""Many tokens as columns, so that numpy checks thousands at once.

Tokens with the same number of rows R and of best tokens m go together; unions are padded to the
longest, C: id -1, logit -inf, so padding has probability 0 everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.contracts import RowStatus
from bls.settlement.evidence import unpack
from bls.settlement.faults import Fault, Faults
from bls.settlement.reader import Joined, TokenKey, name

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

_MODES = ("argmax", "sample")
_BY_BID = "critical_bid"
_RULES = ("clarke", "stable_sampling", _BY_BID)


@dataclass(frozen=True)
class Events:
    """n tokens of R rows.

    Attributes:
        top: m, how many best tokens each row contributed.
        sampled: [n] drawn from the blend instead of its largest.
        by_critical_bid: [n] charged by c_i P_i(t).
        draw: [n, 3] seed, conv, index (u64).
        weights: [n, R] of the rows that took part, 0 for the others.
        live: [n, R] the row took part.
        pay, critical_bid, p_token, log_z: [n, R] as logged.
        ids: [n, C] rising; logits: [n, C, R].
    """

    keys: list[TokenKey]
    advertisers: list[tuple[str, ...]]
    top: int
    sampled: Bool
    by_critical_bid: Bool
    policy: Bool
    near_tie: Bool
    draw: NDArray[np.uint64]
    temperature: F64
    micros_per_weight: I64
    token: I64
    ref_token: I64
    weights: F64
    live: Bool
    pay: F64
    critical_bid: F64
    p_token: F64
    log_z: F64
    ids: NDArray[np.int32]
    logits: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def rows(self) -> int:
        return int(self.weights.shape[1])

    @property
    def charges(self) -> F64:
        """[n, R] what each token was charged, in weight units, by its reply's rule."""
        by_bid = self.critical_bid * self.p_token
        return np.where(self.by_critical_bid[:, None], by_bid, self.pay)


_ROW_FIELDS = ("pay", "critical_bid", "p_token", "row_status", "log_z")


@dataclass(frozen=True)
class _Token:
    """One checked record.

    Attributes:
        table: f64 [6, R]: weights, then `_ROW_FIELDS`.
        scalars: temperature, micros_per_weight, token, ref_token.
        flags: sampled, by_critical_bid, policy, near_tie.
    """

    key: TokenKey
    advertisers: tuple[str, ...]
    top: int
    table: F64
    scalars: F64
    flags: tuple[bool, ...]
    draw: NDArray[np.uint64]
    ids: NDArray[np.int32]
    logits: NDArray[np.float32]


def batches(tokens: Iterable[Joined], faults: Faults, size: int = 2048) -> Iterator[Events]:
    """Columns of at most `size` tokens each; malformed records go to `faults`."""
    groups: dict[tuple[int, int], list[_Token]] = {}
    for joined in tokens:
        try:
            token = _checked(joined)
        except (KeyError, TypeError, ValueError, OverflowError):
            faults.add(Fault.MALFORMED, name(joined.key))
            continue
        group = groups.setdefault((token.table.shape[1], token.top), [])
        group.append(token)
        if len(group) == size:
            yield _columns(group)
            group.clear()
    for group in groups.values():
        if group:
            yield _columns(group)


def _checked(joined: Joined) -> _Token:
    """The token with its evidence unpacked. Raises when a field is absent or does not fit."""
    bids, vcg = joined.bids, joined.vcg
    table = np.array([bids["weights"], *(vcg[field] for field in _ROW_FIELDS)], np.float64)
    rows = len(bids["advertisers"]) + 1
    if table.shape != (1 + len(_ROW_FIELDS), rows):
        raise ValueError(f"expected {rows} rows, got {table.shape}")
    if bids["charge_rule"] not in _RULES:
        raise ValueError("unknown charge_rule")
    scalars = (bids["temperature"], bids["micros_per_weight"], vcg["token"], vcg["ref_token"])
    ids, logits = unpack((vcg["top_id"], vcg["top_logit"]), rows)
    return _Token(
        key=joined.key,
        advertisers=tuple(map(str, bids["advertisers"])),
        top=int(vcg["top"]),
        table=table,
        scalars=np.array(scalars, np.float64),
        flags=(
            bool(_MODES.index(bids["mode"])),
            bids["charge_rule"] == _BY_BID,
            bool(vcg["policy"]),
            bool(vcg["near_tie"]),
        ),
        draw=np.array((bids["seed"], bids["conv"], bids["token_idx"]), np.uint64),
        ids=ids,
        logits=logits,
    )


def _columns(group: list[_Token]) -> Events:
    """Columns of tokens that have the same R and m."""
    union = max(1, *(len(one.ids) for one in group))
    ids = np.full((len(group), union), -1, np.int32)
    logits = np.full((len(group), union, group[0].table.shape[1]), -np.inf, np.float32)
    for place, one in enumerate(group):
        ids[place, : len(one.ids)] = one.ids
        logits[place, : len(one.ids)] = one.logits
    weights, pay, critical_bid, p_token, status, log_z = np.stack(
        [one.table for one in group], axis=1
    )
    temperature, micros, token, ref_token = np.stack([one.scalars for one in group], axis=1)
    sampled, by_critical_bid, policy, near_tie = np.array([one.flags for one in group]).T
    live = status == RowStatus.OK
    return Events(
        keys=[one.key for one in group],
        advertisers=[one.advertisers for one in group],
        top=group[0].top,
        sampled=sampled,
        by_critical_bid=by_critical_bid,
        policy=policy,
        near_tie=near_tie,
        draw=np.stack([one.draw for one in group]),
        temperature=temperature,
        micros_per_weight=micros.astype(np.int64),
        token=token.astype(np.int64),
        ref_token=ref_token.astype(np.int64),
        weights=np.where(live, weights, 0.0),
        live=live,
        pay=pay,
        critical_bid=critical_bid,
        p_token=p_token,
        log_z=log_z,
        ids=ids,
        logits=logits,
    )
