// SPDX-License-Identifier: Apache-2.0
//
// One controlled row's numbers, checked once.
#pragma once

#include "mixture.h"

namespace skynet {
namespace mpc {
namespace {

struct Row {
  Mixture mixture;
  double sigma_eff;
  double lambda_risk, momentum, sigma_max, w_max, reserve;
  double budget_left, time_left, spend_rate, neg_cnt;
  CostModel cost;
  int left;              // tokens still to win
  int tokens;            // H' = min(H, LEFT)
  double worth;          // S = sum over H' of dV + L
  double loss;           // sum over H' of L
  const double* values;  // dV[left]
  double first_loss;     // L[0]
};

SKYNET_HD inline bool in_range(double x, double low, double high) {
  return x >= low && x <= high;  // false for NaN
}

SKYNET_HD inline bool whole(double x, double low, double high) {
  return in_range(x, low, high) && floor(x) == x;
}

SKYNET_HD inline bool positive(double x) {
  return x > 0.0 && isfinite(x);
}

SKYNET_HD inline bool good_mixture(const float* m) {
  return in_range(m[0], -kMostMu, kMostMu) && in_range(m[1], 0.0, kMostSigma) &&
         in_range(m[2], -kMostMu, kMostMu) && in_range(m[3], 0.0, kMostSigma) &&
         in_range(m[4], 0.0, 1.0);
}

SKYNET_HD inline bool good_control(const double* c) {
  return whole(c[kHorizon], 1.0, kMaxHorizon) && positive(c[kLambdaRisk]) &&
         whole(c[kMomentum], 1.0, kMostValue) && positive(c[kSigmaMax]) &&
         in_range(c[kWMax], 0.0, kMostValue) &&
         whole(c[kCostModel], 0.0, 1.0) &&
         in_range(c[kReserve], 0.0, kMostValue) && isfinite(c[kBudgetLeft]) &&
         isfinite(c[kTimeLeft]) && c[kSpendRate] >= 0.0 &&
         isfinite(c[kSpendRate]) && whole(c[kNegCnt], 0.0, kMostValue) &&
         whole(c[kLeft], 0.0, kAdTokens);
}

// False for a row that is to be refused. The row points into control.
SKYNET_HD inline bool read_row(const float* mixture, const double* control,
                               Row* row) {
  if (!good_mixture(mixture) || !good_control(control)) return false;
  const double alpha = mixture[4];
  row->mixture.part[0] = component(alpha, mixture[0], mixture[1]);
  row->mixture.part[1] = component(1.0 - alpha, mixture[2], mixture[3]);
  row->sigma_eff = alpha * mixture[1] + (1.0 - alpha) * mixture[3];
  row->lambda_risk = control[kLambdaRisk];
  row->momentum = control[kMomentum];
  row->sigma_max = control[kSigmaMax];
  row->w_max = control[kWMax];
  row->reserve = control[kReserve];
  row->budget_left = control[kBudgetLeft];
  row->time_left = control[kTimeLeft];
  row->spend_rate = control[kSpendRate];
  row->neg_cnt = control[kNegCnt];
  row->cost = control[kCostModel] == 0.0 ? CostModel::kBid : CostModel::kVcg;
  row->left = static_cast<int>(control[kLeft]);
  const int horizon = static_cast<int>(control[kHorizon]);
  row->tokens = horizon < row->left ? horizon : row->left;
  row->values = control + kValues;
  row->first_loss = control[kLosses];
  row->worth = row->loss = 0.0;
  for (int t = 0; t < row->left; ++t) {
    const double value = control[kValues + t], loss = control[kLosses + t];
    if (!in_range(value, -kMostValue, kMostValue) ||
        !in_range(loss, -kMostValue, kMostValue)) {
      return false;
    }
    if (t >= row->tokens) continue;
    row->worth += value + loss;
    row->loss += loss;
  }
  return true;
}

}  // namespace
}  // namespace mpc
}  // namespace skynet
