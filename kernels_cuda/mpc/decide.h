// SPDX-License-Identifier: Apache-2.0
//
// A row from end to end: solve, pace, clamp, momentum, plan (mpc 2.2 blocks C
// to F with their corrections).
#pragma once

#include "solver.h"

namespace skynet {
namespace mpc {
namespace {

// Whether there is anything to bid with and on.
SKYNET_HD inline bool can_bid(const Row& row) {
  return row.budget_left > 0.0 && row.time_left > 0.0 && row.left > 0;
}

// clip((budget_left / time_left) / spend_rate, 0, 1): the linear rate from here
// on, over what the campaign would spend unpaced.
SKYNET_HD inline double pace(const Row& row) {
  if (!(row.budget_left > 0.0 && row.time_left > 0.0)) return 0.0;
  const double linear = row.budget_left / row.time_left;
  return linear < row.spend_rate ? linear / row.spend_rate : 1.0;
}

// The largest float that is not above x >= 0: a weight never rounds up past
// w_max or the budget.
SKYNET_HD inline float round_down(double x) {
  const float nearest = static_cast<float>(x);
  if (static_cast<double>(nearest) <= x) return nearest;
  return nextafterf(nearest, 0.0f);
}

// Tokens still to emit: the smallest k >= 0 whose dV_0 + ... + dV_k exceeds
// lambda_risk L_0; 0, stop now, if none does.
SKYNET_HD inline int plan_of(const Row& row) {
  const double bar = row.lambda_risk * row.first_loss;
  double sum = 0.0;
  for (int k = 0; k < row.left; ++k) {
    sum += row.values[k];
    if (sum > bar) return k;
  }
  return 0;
}

SKYNET_HD inline float weight_of(const Row& row, double w_star, double pace) {
  double w = w_star * pace;
  if (w > row.w_max) w = row.w_max;
  if (w > row.budget_left) w = row.budget_left;
  return round_down(w > 0.0 ? w : 0.0);
}

SKYNET_HD inline void clear(double* decision) {
  for (int i = 0; i < kDecision; ++i) decision[i] = 0.0;
  decision[kPlanId] = -1.0;
}

// A trajectory that is already complete has nothing left to abandon.
SKYNET_HD inline void judge(const Row& row, double* decision) {
  decision[kNegCntAfter] = row.neg_cnt;
  if (row.left == 0) return;
  const bool negative =
      decision[kUtility] < 0.0 || row.sigma_eff > row.sigma_max;
  decision[kNegCntAfter] = negative ? row.neg_cnt + 1.0 : 0.0;
  if (decision[kNegCntAfter] < row.momentum) return;
  decision[kAbandon] = 1.0;
  decision[kPlanId] = plan_of(row);
}

template <class L>
SKYNET_HD inline void decide_row(const float* mixture, float bid,
                                 const double* control, float* weight,
                                 double* decision, Steps* steps) {
  clear(decision);
  *steps = {0, 0};
  if (control[kControlled] == 0.0) {
    *weight = bid;
    return;
  }
  *weight = 0.0f;
  Row row;
  if (control[kControlled] != 1.0 || !read_row(mixture, control, &row)) {
    decision[kMethod] = static_cast<double>(Method::kRefused);
    return;
  }
  Solution best = {0.0, 0.0, Method::kNone, {0, 0}};
  if (can_bid(row)) best = solve<L>(row);
  decision[kWStar] = best.w;
  decision[kUtility] = row.tokens * best.gain - row.loss;
  decision[kPace] = pace(row);
  decision[kSigmaEff] = row.sigma_eff;
  decision[kMethod] = static_cast<double>(best.method);
  *weight = weight_of(row, best.w, decision[kPace]);
  *steps = best.steps;
  judge(row, decision);
}

template <class L>
inline void decide_batch(const Batch& batch) {
  Steps unused;
  for (int64_t k = 0; k < batch.rows; ++k) {
    decide_row<L>(batch.mixture + k * kMixture, batch.bid[k],
                  batch.control + k * kControl, batch.weight + k,
                  batch.decision + k * kDecision,
                  batch.steps != nullptr ? batch.steps + k : &unused);
  }
}

}  // namespace
}  // namespace mpc
}  // namespace skynet
