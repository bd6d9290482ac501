// SPDX-License-Identifier: Apache-2.0
//
// The auction contract: every limit, tensor, struct and status, written once.
// The CPU paths, the C ABI, the Triton backend and the CUDA path include it;
// oracle.py is the definition in float64.
//
// One reply is R rows of V logits. Row 0 is the reference, row i >= 1 is
// advertiser i. With P_k = softmax(logits_k / T) and weights w_k >= 0,
//
//   N(x)    = w_ref P_ref(x) + sum_i w_i P_i(x)                    (blend)
//   token t = argmax_x N(x), lowest id among ties                  (winner)
//   pay_i   = max_x B_-i(x) - B_-i(t),  B_-i = N without row i     (Clarke)
//   c_i     = max(0, max over x with P_i(x) < P_i(t) of
//                 (B_-i(x) - B_-i(t)) / (P_i(t) - P_i(x)))         (threshold)
//
// c_i ranges over ALL tokens, not only the runner-up: it is the smallest bid
// at which t still wins. If t also wins without i, pay_i = c_i = 0.
//
// In sampling mode t is drawn from N / W, W the sum of the valid weights, and
// pay_i is the stable-sampling payment of arXiv 2310.10826 in closed form.
// With b = w_i, s = W - b, q = N / W, q_-i = B_-i / s:
//
//   pay_i = max(0, 1 - q_-i(t) / q(t)) K (s + b) / b,
//   K     = s ln(1 + b / s) - s b / (s + b)         (0 where s = 0 or b = 0)
//
// It is not capped by w_i P_i(t): only its expectation, TV(P_i, q_-i) K, is.
// 1 - q_-i / q is b (P_i(t) - q_-i(t)) / N(t); a difference of at most
// kTieRel P_i(t) is 0. c_i is 0: a draw has no threshold.
//
// The draw is a draw of a row, then of a token of that row, so that every path
// needs the cumulative sum of one row only. Philox4x32-10 with key = (seed low,
// seed high), counter = (conv low, conv high, index low, index high) gives
// x0..x3; u_row = (x0 + 2^32 x1 >> 11) 2^-53, u_token the same of x2, x3.
//   row   = first valid row with w > 0, in row order, whose running sum of
//           weights exceeds u_row W; the last such row if rounding leaves none
//   t     = lowest x whose running sum of exp((z_row(x) - top) / T) exceeds
//           u_token Z_row; the last x with a term above 0 if none does
// Sums run in float64 in id order; a path may decide in less where its error
// bound proves the same token.
#ifndef SKYNET_AUCTION_CONTRACT_H_
#define SKYNET_AUCTION_CONTRACT_H_

#include <stdint.h>

#include "path.h"
#include "tensor_spec.h"

namespace skynet {

// ---- Limits --------------------------------------------------------------
constexpr int32_t kMaxRows = 33;        // the reference + 32 advertisers
constexpr int32_t kMaxVocab = 1 << 18;  // 262,144 tokens
constexpr int32_t kTop = 16;            // best tokens of a row kept for audits

// ---- Ties ----------------------------------------------------------------
// Blends closer than kTieRel * max N are the same number: float64 cannot order
// sums of exponentials below that reproducibly. Ties go to the lowest id.
constexpr double kTieRel = 0x1p-40;
// Rigorous bound on the relative error of a blend made by the f32 sweep (an
// exp within 2 ulp, 32 f32 additions), both sides of a comparison. A margin
// under kNearTieRel * N(t) is flagged near_tie and decided in float64.
constexpr double kNearTieRel = 0x1p-17;

// ---- Types ---------------------------------------------------------------
enum class LogitType : int32_t { kF32 = 0, kF16 = 1, kBF16 = 2 };

enum class Mode : int32_t { kArgmax = 0, kSample = 1 };

// A whole reply is refused with one of these; nothing is written then except
// the row statuses of kBadReference.
enum class Status : int32_t {
  kOk = 0,
  kBadRows = 1,         // rows outside [1, kMaxRows]
  kBadVocab = 2,        // vocab outside [1, kMaxVocab], or stride < vocab
  kBadType = 3,         // unknown LogitType
  kBadTemperature = 4,  // not finite, or <= 0
  kBadReference = 5,    // row 0 has a status other than kOk
  kNoWeight = 6,        // the valid weights sum to 0: nothing to blend
  kBadPath = 7,         // unknown path, or one this processor lacks
  kNoMemory = 8,
  kNullPointer = 9,
  kBadMode = 10,        // unknown Mode
  kDeviceFailed = 11,   // the accelerator reported an error
  kDeviceTimeout = 12,  // the accelerator did not answer in time
};

// A row that is not kOk is dropped from this token: it adds nothing to the
// blend, pays 0, and the other rows are what they would be without it.
enum class RowStatus : int32_t {
  kOk = 0,
  kNotFinite = 1,  // a NaN or +inf logit (-inf is legal: impossible token)
  kEmpty = 2,      // no finite logit
  kBadWeight = 3,  // weight NaN, infinite or negative; logits are not read
};

// What a draw depends on, and nothing else does: the same three numbers, rows
// and weights give the same token on every path. Ignored in argmax mode.
struct Draw {
  uint64_t seed;   // of the reply
  uint64_t conv;   // of the conversation
  uint64_t index;  // of the token in the reply
};

struct AuctionInput {
  const void* logits;  // row k starts at element k * row_stride; any alignment
  const float* weights;  // [rows], [0] = w_ref; bid units
  int64_t row_stride;    // elements between rows, >= vocab
  int32_t rows;          // R = 1 + advertisers
  int32_t vocab;         // V
  LogitType type;        // element type of logits
  float temperature;     // T, finite and > 0
  Draw draw;
  Mode mode;
};

struct RowResult {
  double p_token;       // P_row(t), 0 for a dropped row
  double pay;           // bid units; row 0: 0. Argmax: 0 <= pay <= w P(t)
  double critical_bid;  // threshold, bid units, 0 <= c <= w; row 0: 0
  double log_z;         // ln sum_x exp(z(x) / T), 0 for a dropped row
  float w_minus;        // sum of the OTHER valid advertisers' weights
  RowStatus status;
};

struct ReplyResult {
  double margin;      // N(t) - largest N elsewhere (N(t) if V = 1); a drawn t
                      // may have a negative one
  double blend;       // N(t)
  int32_t token;      // t
  int32_t ref_token;  // what row 0 alone would say: its argmax (lowest id among
                      // equals), or its draw with the same u_token
  int32_t near_tie;   // argmax: 1 if margin <= kNearTieRel * N(t); else 0
  int32_t precise;    // 1 if normalisers were (re)summed in float64
  int32_t drawn_row;  // the row t was drawn from; -1 in argmax mode
  int32_t reserved;   // 0
};

// What an audit needs of one token: with log_z it gives P_k(x) for every x that
// could win or set a price, and an upper bound for all others (a row's kTop-th
// P). Either pointer may be null; the auction itself never reads them.
struct TopResult {
  // [rows][kTop] best tokens of each row: falling logits, lowest id first among
  // equals; -1 where V < kTop, where the logit is -inf, or for a dropped row.
  int32_t* id;
  // [rows][rows * kTop]: row k's logit at id[0], id[1], ... of every row; -inf
  // where the id is -1 or row k is dropped.
  float* logit;
};

// ---- Triton model "auction" ----------------------------------------------
// Rows are the batch dimension: one request is one reply of R rows and yields
// one response. dims exclude the batch; -1 is V.
//
//   input   LOGITS       FP32|FP16|BF16 [-1]
//   input   WEIGHT       FP32  [1]  row 0 = w_ref
//   input   TEMPERATURE  FP32  [1]  per reply, the same on every row
//   input   DRAW         UINT64 [4] mode, seed, conv, index; the same on every
//                                   row
//   output  TOKEN        INT32 [1]  repeated on every row
//   output  REF_TOKEN    INT32 [1]  repeated
//   output  MARGIN       FP64  [1]  repeated
//   output  NEAR_TIE     BOOL  [1]  repeated
//   output  P_TOKEN      FP64  [1]
//   output  PAY          FP64  [1]
//   output  CRITICAL_BID FP64  [1]
//   output  W_MINUS      FP32  [1]
//   output  ROW_STATUS   INT32 [1]  RowStatus
//   output  LOG_Z        FP64  [1]
//   output  TOP_ID       INT32 [16] TopResult::id
//   output  TOP_LOGIT    FP32  [-1] TopResult::logit, 16 R values a row
// LOGITS also takes FP16 and BF16. A dim of -1 is V for LOGITS, 16 R for
// TOP_LOGIT.
static_assert(kTop == 16, "TOP_ID below and bls/contracts.py say 16");

constexpr TensorSpec kInputs[] = {
    {"LOGITS", "TYPE_FP32", -1},
    {"WEIGHT", "TYPE_FP32", 1},
    {"TEMPERATURE", "TYPE_FP32", 1},
    {"DRAW", "TYPE_UINT64", 4},
};

constexpr TensorSpec kOutputs[] = {
    {"TOKEN", "TYPE_INT32", 1},       {"REF_TOKEN", "TYPE_INT32", 1},
    {"MARGIN", "TYPE_FP64", 1},       {"NEAR_TIE", "TYPE_BOOL", 1},
    {"P_TOKEN", "TYPE_FP64", 1},      {"PAY", "TYPE_FP64", 1},
    {"CRITICAL_BID", "TYPE_FP64", 1}, {"W_MINUS", "TYPE_FP32", 1},
    {"ROW_STATUS", "TYPE_INT32", 1},  {"LOG_Z", "TYPE_FP64", 1},
    {"TOP_ID", "TYPE_INT32", 16},     {"TOP_LOGIT", "TYPE_FP32", -1},
};

}  // namespace skynet

#endif  // SKYNET_AUCTION_CONTRACT_H_
