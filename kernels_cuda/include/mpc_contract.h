// SPDX-License-Identifier: Apache-2.0
//
// The receding-horizon controller: what one call takes and gives. Rows are
// independent. Source: mpc 2.2, 2.3 with its corrections.
//
// With W_-i log-normal-mixed, r the weight to beat besides it (RESERVE) and
// x = ln(w - r), z_i = (x - mu_i) / s_i:
//
//   F(w) = P(W_-i + r <= w) = sum_i a_i Phi(z_i)     (0 for w <= r)
//   f(w) = F'(w) = sum_i a_i phi(z_i) / (s_i (w - r))
//   U(w) = sum over t < H' of [F(w) dV_t - (1 - F(w)) L_t] - H' c(w)
//        = S F(w) - sum L_t - H' c(w),  S = sum (dV_t + L_t), H' = min(H, LEFT)
//
// One forecast serves all H' tokens. c(w) is what a token is expected to cost:
//
//   bid   c(w) = w                       U' = S f - H'
//   vcg   c(w) = E[(W_-i + r) 1{W_-i + r <= w}]
//
// for with a threshold price the winner pays the bid it had to beat. By parts
// of the log-normal's definition, E[X 1{X <= b}] = exp(mu + s^2/2) Phi(z(b) -
// s): shift the exponent, x - (x - mu)^2 / 2 s^2 = mu + s^2/2 - (x - mu -
// s^2)^2 / 2 s^2. Hence
//
//   c(w)  = r F(w) + sum_i a_i exp(mu_i + s_i^2/2) Phi(z_i - s_i)
//   c'(w) = r f(w) + (w - r) f(w) = w f(w)           U' = (S - H' w) f
//
// so that with vcg the maximiser on [0, w_max] is min(S / H', w_max): bidding
// the value of a token, as with any threshold price. mpc/solver.h says how the
// bid model is solved.
#ifndef SKYNET_MPC_CONTRACT_H_
#define SKYNET_MPC_CONTRACT_H_

#include <stdint.h>

#include "tensor_spec.h"

namespace skynet {
namespace mpc {

// ---- Limits --------------------------------------------------------------
constexpr int32_t kMaxRows = 64;  // of one Triton request; the library has none
constexpr int32_t kMaxHorizon = 8;   // bls/contracts.py: HORIZON
constexpr int32_t kAdTokens = 48;    // bls/contracts.py: AD_TOKENS
constexpr double kMostValue = 1e12;  // |dV|, |L|, W_MAX, RESERVE
constexpr double kMostMu = 1e3;      // |mu|
constexpr double kMostSigma = 1e3;
// Narrower components count as this wide. WEIGHT is a float, spaced 1.2e-7
// relative: a step that a rounded weight cannot clear would be no use.
constexpr double kSigmaMin = 1e-6;

// ---- Inputs --------------------------------------------------------------
constexpr int32_t kMixture = 5;  // mu_1, s_1, mu_2, s_2, a_1 (a_2 = 1 - a_1)

// Places in a row of CONTROL; units in bls/contracts.py.
enum Control : int32_t {
  kControlled = 0,  // 0: WEIGHT is BID bit for bit, nothing else is read
  kHorizon = 1,     // an integer, 1 to 8
  kLambdaRisk = 2,  // > 0
  kMomentum = 3,    // an integer >= 1
  kSigmaMax = 4,    // > 0
  kWMax = 5,        // 0 to kMostValue
  kCostModel = 6,   // CostModel
  kReserve = 7,     // 0 to kMostValue
  kBudgetLeft = 8,  // finite
  kTimeLeft = 9,    // finite
  // What the campaign would spend at pace 1: recent spend divided by the pace
  // it was bid at. Were it the paced spend, the loop would settle at the
  // geometric mean of the linear rate and the unpaced one.
  kSpendRate = 10,  // >= 0
  kNegCnt = 11,     // an integer >= 0
  kLeft = 12,       // an integer, 0 to 48
};
constexpr int32_t kValues = 16;              // dV[48] starts here
constexpr int32_t kLosses = 16 + kAdTokens;  // L[48]
constexpr int32_t kControl = 16 + 2 * kAdTokens;

enum class CostModel : int32_t { kBid = 0, kVcg = 1 };

// ---- Outputs -------------------------------------------------------------
// Places in a row of DECISION; all 0 but kPlanId = -1 for a row that is not
// controlled. A controlled row that breaks a limit above or holds a NaN is
// refused: WEIGHT 0, kMethod -1, the rest as if not controlled. dV and L are
// read up to LEFT only.
enum Decision : int32_t {
  kWStar = 0,
  kUtility = 1,
  kPace = 2,
  kSigmaEff = 3,
  kNegCntAfter = 4,
  kAbandon = 5,
  kPlanId = 6,
  kMethod = 7,
};
constexpr int32_t kDecision = 8;

enum class Method : int32_t {
  kRefused = -1,
  kNone = 0,       // not controlled, no budget, no time or no token left
  kNewton = 1,     // Newton steps only
  kBisection = 2,  // at least one bisection
  kGrid = 3,       // a grid point: 0, w_max, or (vcg) the token's value S / H'
};

// How a row was solved, for tests and statistics.
struct Steps {
  int32_t newton;
  int32_t bisection;
};

// ---- The library ---------------------------------------------------------
enum class Status : int32_t {
  kOk = 0,
  kBadRows = 1,  // negative
  kBadPath = 2,  // unknown path, or one this processor lacks
  kNullPointer = 3,
};

struct Batch {
  const float* mixture;   // [rows][kMixture]
  const float* bid;       // [rows]
  const double* control;  // [rows][kControl]
  float* weight;          // [rows] finite and >= 0 unless it is a BID
  double* decision;       // [rows][kDecision]
  Steps* steps;           // [rows], or null
  int32_t rows;
};

// ---- Triton model "mpc" --------------------------------------------------
// dims exclude the batch.
constexpr TensorSpec kInputs[] = {
    {"MIXTURE", "TYPE_FP32", 5},
    {"BID", "TYPE_FP32", 1},
    {"CONTROL", "TYPE_FP64", 112},
};
constexpr TensorSpec kOutputs[] = {
    {"WEIGHT", "TYPE_FP32", 1},
    {"DECISION", "TYPE_FP64", 8},
};
static_assert(kControl == 112 && kDecision == 8 && kMixture == 5,
              "the dims above are these");

}  // namespace mpc
}  // namespace skynet

#endif  // SKYNET_MPC_CONTRACT_H_
