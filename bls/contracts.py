# SPDX-License-Identifier: Apache-2.0
"""Tensor contracts of the models in `model_repository/`, written once.

Shapes leave the batch dimension out. In every batched model **rows are the batch dimension**:
a reply with R rows (row 0 the reference, row i advertiser i) is one request of shape
[R, ...]; a value that belongs to the whole reply is repeated on its rows. The `config.pbtxt`
files and `kernels_cuda/include/auction_contract.h` are tested against this page.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag


@dataclass(frozen=True)
class Tensor:
    """Name, Triton data type without `TYPE_`, dims without the batch dimension."""

    name: str
    dtype: str
    dims: tuple[int, ...]


@dataclass(frozen=True)
class ModelContract:
    """What one model takes and gives. `max_batch` 0 means no batch dimension."""

    name: str
    max_batch: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    decoupled: bool = False


class Op(IntEnum):
    """What `llm_step` is asked to do with a conversation."""

    PREFILL = 0  # IDS [R, L]: every row's prompt, right-padded with PAD; answers first logits
    STEP = 1  # IDS [R, 1]: the chosen token, the same on every row
    END = 2  # IDS [1, 1]: frees the conversation's KV slots; LOGITS is [1, 1], a zero


class Kind(IntEnum):
    """Which event of a reply a `token_auction` response is."""

    START = 0
    TOKEN = 1
    END = 2
    UPDATE = 3  # the answer to a bid update: a stream of its own, this one event


class Flag(IntFlag):
    """Per-token flags of `token_auction`."""

    SPONSORED = 1  # an advertiser changed this token, or paid for it
    NEAR_TIE = 2  # decided in float64: the f32 margin was under its error bound
    ROW_DROPPED = 4  # at least one advertiser's row was left out of this token
    POLICY = 8  # the auctioned token was unsafe: this is the reference row's best safe one


class RowStatus(IntEnum):
    """Why an advertiser's row was left out of a token (0: it took part)."""

    OK = 0
    NOT_FINITE = 1
    EMPTY = 2
    BAD_WEIGHT = 3


class Mode(IntEnum):
    """How a token is chosen from the blend."""

    ARGMAX = 0
    SAMPLE = 1


PAD = -1
"""Right padding of prompt rows in `IDS`."""

REMOTE = -2
"""First id of a prompt row that has no prompt: `REMOTE - n` says that the logits of the row come
from remote bidder n (counted from 0 in the campaign file's order). Remote rows come last."""

TOP = 16
"""Best tokens of a row that the auction reports for audits."""

_CONV = Tensor("CONV", "UINT64", (1,))
_OP = Tensor("OP", "INT32", (1,))
_IDS = Tensor("IDS", "INT32", (-1,))
_SALT = Tensor("SALT", "UINT64", (1,))
_WEIGHT = Tensor("WEIGHT", "FP32", (1,))
_TEMPERATURE = Tensor("TEMPERATURE", "FP32", (1,))
_DRAW = Tensor("DRAW", "UINT64", (4,))
_AUCTION_OUT = (
    Tensor("TOKEN", "INT32", (1,)),
    Tensor("REF_TOKEN", "INT32", (1,)),
    Tensor("MARGIN", "FP64", (1,)),
    Tensor("NEAR_TIE", "BOOL", (1,)),
    Tensor("P_TOKEN", "FP64", (1,)),
    Tensor("PAY", "FP64", (1,)),
    Tensor("CRITICAL_BID", "FP64", (1,)),
    Tensor("W_MINUS", "FP32", (1,)),
    Tensor("ROW_STATUS", "INT32", (1,)),
    Tensor("LOG_Z", "FP64", (1,)),
    Tensor("TOP_ID", "INT32", (TOP,)),
    Tensor("TOP_LOGIT", "FP32", (-1,)),
)

LLM_STEP = ModelContract(
    "llm_step",
    64,
    (_CONV, _OP, _IDS, _SALT),
    (Tensor("LOGITS", "FP32", (-1,)),),
)

AUCTION = ModelContract(
    "auction",
    64,
    (Tensor("LOGITS", "FP32", (-1,)), _WEIGHT, _TEMPERATURE, _DRAW),
    _AUCTION_OUT,
)

DECODE_STEP = ModelContract(
    "decode_step",
    64,
    (_CONV, _OP, _IDS, _SALT, _WEIGHT, _TEMPERATURE, _DRAW),
    _AUCTION_OUT,
)

TOKEN_AUCTION = ModelContract(
    "token_auction",
    0,
    (Tensor("REQUEST", "STRING", (1,)),),
    (
        Tensor("KIND", "INT32", (1,)),
        Tensor("TEXT", "STRING", (1,)),
        Tensor("INDEX", "INT32", (1,)),
        Tensor("TOKEN_ID", "INT32", (1,)),
        Tensor("WINNER", "INT32", (1,)),
        Tensor("FLAGS", "INT32", (1,)),
        Tensor("MARGIN", "FP64", (1,)),
        Tensor("BID", "FP32", (-1,)),
        Tensor("CHARGE", "FP64", (-1,)),
        Tensor("CRITICAL_BID", "FP64", (-1,)),
        Tensor("P_TOKEN", "FP64", (-1,)),
        Tensor("W_MINUS", "FP32", (-1,)),
        Tensor("ROW_STATUS", "INT32", (-1,)),
        Tensor("FINISH_REASON", "STRING", (1,)),
        Tensor("RECEIPT", "STRING", (1,)),
    ),
    decoupled=True,
)

CONTRACTS = (LLM_STEP, AUCTION, DECODE_STEP, TOKEN_AUCTION)
