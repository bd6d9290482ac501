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
    AGAIN = 3  # IDS [R, 1]: the logits of token IDS (0 the first) once more, nothing is computed


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


class Use(IntEnum):
    """What a text that `policy_guard` judges is for; each use has a threshold of its own."""

    USER = 0  # what a user wrote
    AD = 1  # what an advertiser wants said
    REPLY = 2  # what a reply says


class Verdict(IntEnum):
    """What `policy_guard` says of a text; the reason beside it says why."""

    OK = 0
    NO_AD = 1  # answer it, but without ads, or without those that the reason forbids
    FLAGGED = 2  # abusive: answer it without ads; a summary of it must not repeat it
    BLOCKED = 3  # an ad that must not be shown, a reply that must not be given


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

CTX = 128
"""Width of an axis vector (`ctx_vec`), unit norm."""

WINDOW = 15
"""Past log W_-i that a prediction sees, oldest first."""

SUMMARY_WINDOW = 64
"""Tokens of the chat's head that one summary stands for (content_generation 2.3.1)."""

SUMMARY_TOKENS = 32
"""Longest summary of one window."""

FEATURES = CTX + WINDOW + 3 + 4
"""What `bid_predictor` takes; the layout is in `bls/brain/features.py`."""

AD_TOKENS = 48
"""Longest ad trajectory, and the width of a value curve."""

HORIZON = 8
"""Longest look-ahead of the controller, in tokens."""

CONTROL = 16 + 2 * AD_TOKENS
"""What `mpc` takes besides the forecast: `Control`'s 16 numbers, then dV[48], then L[48].
dV[0] and L[0] belong to the token about to be sold; past `LEFT` tokens neither is read."""


class Control(IntEnum):
    """Places in a row of `CONTROL` (f64). Weights and values are in bid units."""

    CONTROLLED = 0  # 0: WEIGHT is BID, nothing else is read or checked; 1: the controller decides
    HORIZON = 1  # H, 1 to 8
    LAMBDA_RISK = 2  # > 0
    MOMENTUM = 3  # M >= 1: consecutive negatives that end a trajectory
    SIGMA_MAX = 4  # > 0
    W_MAX = 5  # >= 0, the largest weight
    COST_MODEL = 6  # 0: pays its bid; 1: pays the expected Clarke charge
    RESERVE = 7  # >= 0: weight to beat besides W_-i (a share of the reference's)
    BUDGET_LEFT = 8  # weight x tokens; <= 0 bids nothing
    TIME_LEFT = 9  # seconds until the campaign ends; <= 0 bids nothing
    SPEND_RATE = 10  # recent, weight x tokens a second
    NEG_CNT = 11  # `Decision.NEG_CNT` of the row's last token, 0 at first
    LEFT = 12  # tokens of the trajectory still to win, 0 to 48; 0 bids nothing
    RIVAL_SHARE = 13  # > 0: the share of W_-i that must be outbid; 1 is the seed's formula


class Decision(IntEnum):
    """Places in a row of `DECISION` (f64); all 0 but `PLAN_ID` = -1 for a row not controlled."""

    W_STAR = 0  # the maximiser of U on [0, w_max], before pacing
    UTILITY = 1  # U(w_star)
    PACE = 2  # in [0, 1]; WEIGHT = w_star x pace
    SIGMA_EFF = 3  # alpha s1 + (1 - alpha) s2
    NEG_CNT = 4  # after this token
    ABANDON = 5  # 1: the trajectory is to end
    PLAN_ID = 6  # tokens still to emit when abandoned (0: stop now), else -1
    METHOD = 7  # 0 none, 1 Newton, 2 bisection, 3 the grid's own point; -1 refused: WEIGHT 0


ACTIONS = 14
"""Acts of a shop's visitor, `bls.phantom.actions.NAMES`."""


class SessionStat(IntEnum):
    """Places in a row of `STATS` (f32): what a session shows beside its transitions."""

    EVENTS = 0  # events so far
    ITEMS = 1  # different items acted on
    REVISITS = 2  # share of acts on an item that was left and come back to
    GAP_MEAN = 3  # mean of ln(1 + milliseconds between two events)
    GAP_SPREAD = 4  # its standard deviation
    DWELL_MEAN = 5  # mean of ln(1 + dwell_ms) over dwelling acts
    DWELL_SPREAD = 6
    DWELLS = 7  # share of acts that dwell
    SPAN = 8  # ln(1 + seconds from first to last event)
    QUOTES = 9  # ln(1 + prices shown)
    QUOTED = 10  # different items a price was shown of, share of the catalogue
    ASCENDING = 11  # share of steps between viewed items that go to a dearer one
    SEQUENTIAL = 12  # share of steps between viewed items to the next one of the catalogue
    CART = 13  # share of acts on the cart
    FILTERS = 14  # share of acts that search, filter or sort
    ENTROPY = 15  # of the acts, nats


class PriceState(IntEnum):
    """Places in a row of `STATE` (f32): what the price of one item is decided by."""

    DEMAND = 0  # share of the demand proxy x items: 1 is the average item
    PRICE = 1  # the price shown last / base
    LOW = 2  # floor / base
    HIGH = 3  # ceiling / base
    COST = 4  # cost / base
    AGENT = 5  # f(tau), the session's agent probability; in training its mean over a step
    EVENTS = 6  # ln(1 + events of the session) / 5
    QUOTES = 7  # ln(1 + prices of this item the session was shown) / 5


MULTIPLIERS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2)
"""What a learned policy may do to a base price (PHANTOM's model, environment defaults)."""


class CostModel(IntEnum):
    """What a bidder expects to pay."""

    BID = 0
    VCG = 1


_CONV = Tensor("CONV", "UINT64", (1,))
_OP = Tensor("OP", "INT32", (1,))
_IDS = Tensor("IDS", "INT32", (-1,))
_SALT = Tensor("SALT", "UINT64", (1,))
_ADAPTER = Tensor("ADAPTER", "UINT64", (1,))  # of the row: `bls.models.served_id`, 0 for none
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
    (_CONV, _OP, _IDS, _SALT, _ADAPTER),
    (Tensor("LOGITS", "FP32", (-1,)),),
)

AUCTION = ModelContract(
    "auction",
    64,
    (Tensor("LOGITS", "FP32", (-1,)), _WEIGHT, _TEMPERATURE, _DRAW),
    _AUCTION_OUT,
)

_SERVED = Tensor("SERVED", "UINT64", (1,))  # of the version: `bls.models.served_id`

CONTEXT_ENCODER = ModelContract(
    "context_encoder",
    32,
    (
        Tensor("TEXT", "STRING", (1,)),
        Tensor("AXES", "UINT64", (1,)),  # optional: 0 or left out takes the newest axes
    ),
    (Tensor("CTX", "FP32", (CTX,)), _SERVED),
)

POLICY_GUARD = ModelContract(
    "policy_guard",
    32,
    (Tensor("TEXT", "STRING", (1,)), Tensor("USE", "INT32", (1,))),
    (
        Tensor("VERDICT", "INT32", (1,)),
        Tensor("REASON", "STRING", (1,)),  # a snake_case word; empty for OK
        Tensor("SCORE", "FP32", (1,)),  # of the classifier, in [0, 1]; 0 where a rule decided
    ),
)

SUMMARISER = ModelContract(
    "summariser",
    64,
    (Tensor("IDS", "INT32", (SUMMARY_WINDOW,)),),  # a window, right-padded with PAD
    (Tensor("SUMMARY", "INT32", (SUMMARY_TOKENS,)),),  # right-padded with PAD
)
"""Ids are those of the tokenizer in its folder."""

CONDENSE = ModelContract(
    "condense",
    0,
    (
        Tensor("IDS", "INT32", (-1,)),  # a chat's text without its tail, oldest first
        Tensor("SALT", "UINT64", (1,)),  # isolates the cache, as in `llm_step`
    ),
    (
        Tensor("SUMMARY", "INT32", (-1,)),  # all summaries, one after the other
        Tensor("LENGTHS", "INT32", (-1,)),  # of each of them, at most `SUMMARY_TOKENS`
        Tensor("WINDOWS", "INT32", (1,)),  # windows the head was cut into, before 8 were kept
    ),
)
"""Ids are those of the served LLM's tokenizer."""

SELECT = ModelContract(
    "select",
    0,
    (
        Tensor("REQUEST", "STRING", (1,)),  # `bls.select.answer.SelectRequest` as JSON
        Tensor("CTX", "FP32", (CTX,)),
        Tensor("AXES", "UINT64", (1,)),  # `SERVED` of the encoder that made CTX
    ),
    (Tensor("CHOSEN", "STRING", (1,)),),  # `bls.select.answer.SelectAnswer` as JSON
)

TVE = ModelContract(
    "tve",
    32,
    (
        Tensor("CTX", "FP32", (CTX,)),
        Tensor("AD", "STRING", (1,)),
        Tensor("KEY", "UINT64", (1,)),  # `bls.reply.draw.conversation`: who gets a canary
    ),
    (
        Tensor("CURVE", "FP32", (4,)),  # v_max, a, k_0, spread of v_max; per unit of rate
        Tensor("DV", "FP32", (AD_TOKENS,)),  # 0 past COUNT
        Tensor("LOSS", "FP32", (AD_TOKENS,)),  # 0 past COUNT
        Tensor("COUNT", "INT32", (1,)),  # T, tokens of the ad's trajectory
        _SERVED,
    ),
)

_MIXTURE = Tensor("MIXTURE", "FP32", (5,))  # mu_1, s_1, mu_2, s_2, alpha of log W_-i
_FEATURES = Tensor("FEATURES", "FP32", (FEATURES,))
_BID = Tensor("BID", "FP32", (1,))
_CONTROL = Tensor("CONTROL", "FP64", (CONTROL,))
_DECISION = Tensor("DECISION", "FP64", (len(Decision),))

BID_PREDICTOR = ModelContract("bid_predictor", 64, (_FEATURES, _DRAW), (_MIXTURE, _SERVED))
"""Of `DRAW` only the conversation is read: it says who gets a canary."""

PREDICTOR_GRAPH = ModelContract("bid_predictor", 64, (_FEATURES,), (_MIXTURE,))
"""What its `model.onnx` takes and gives."""

MPC = ModelContract("mpc", 64, (_MIXTURE, _BID, _CONTROL), (_WEIGHT, _DECISION))

_DECODE_IN = (_CONV, _OP, _IDS, _SALT, _ADAPTER, _BID, _CONTROL, _TEMPERATURE, _DRAW)

DECODE_STEP = ModelContract(
    "decode_step",
    64,
    (*_DECODE_IN, _FEATURES),
    (*_AUCTION_OUT, _WEIGHT, _DECISION, _MIXTURE, _SERVED),
)

DECODE_STEP_HELD = ModelContract(
    "decode_step_held",  # without `bid_predictor`: the reply loop says what it holds of a forecast
    64,
    (*_DECODE_IN, _MIXTURE),
    (*_AUCTION_OUT, _WEIGHT, _DECISION),
)

DECODE_STEP_FIXED = ModelContract(
    "decode_step_fixed",  # without `mpc` too: for bids that are all fixed
    64,
    (_CONV, _OP, _IDS, _SALT, _ADAPTER, _WEIGHT, _TEMPERATURE, _DRAW),
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

_SESSION = (
    Tensor("TRANSITIONS", "FP32", (ACTIONS + 1, ACTIONS)),  # counts; the last row: first acts
    Tensor("STATS", "FP32", (len(SessionStat),)),
)
_SCORE = (
    Tensor("PROBABILITY", "FP32", (1,)),  # f(tau), calibrated
    Tensor("DIVERGENCE", "FP32", (2,)),  # Delta_H, Delta_A in nats; their difference is the gap
)

AGENT_SCORE = ModelContract(
    "agent_score",
    64,
    (*_SESSION, Tensor("KEY", "UINT64", (1,))),  # of the session: who gets a canary
    (*_SCORE, _SERVED),
)

AGENT_GRAPH = ModelContract("agent_score", 64, _SESSION, _SCORE)
"""What its `model.onnx` takes and gives."""

SESSION_PRICE = ModelContract(
    "session_price",
    256,
    (Tensor("STATE", "FP32", (len(PriceState),)), Tensor("KEY", "UINT64", (1,))),
    (Tensor("MULTIPLIER", "FP32", (1,)), _SERVED),  # x base; bounds are the caller's to hold
)
"""Rows are items of one session's page; KEY is the session's, the same on all of them."""

PRICE_GRAPH = ModelContract(
    "session_price", 256, SESSION_PRICE.inputs[:1], SESSION_PRICE.outputs[:1]
)
"""What its `model.onnx` takes and gives."""

CONTRACTS = (
    LLM_STEP,
    AUCTION,
    CONTEXT_ENCODER,
    SELECT,
    POLICY_GUARD,
    SUMMARISER,
    CONDENSE,
    TVE,
    BID_PREDICTOR,
    SESSION_PRICE,
    MPC,
    DECODE_STEP,
    DECODE_STEP_HELD,
    DECODE_STEP_FIXED,
    TOKEN_AUCTION,
    AGENT_SCORE,
)
