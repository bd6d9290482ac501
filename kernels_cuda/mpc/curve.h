// SPDX-License-Identifier: Apache-2.0
//
// The functions of mpc_contract.h at given weights, for tests and plots.
#pragma once

#include "solver.h"

namespace skynet {
namespace mpc {
namespace {

// F, f, f', U, U', U'' at one w.
constexpr int kCurve = 6;

template <class L>
inline void curve_at(const Row& row, double w, double* out) {
  double win = 0.0, pdf = 0.0, slope = 0.0, paid = 0.0;
  const double over = w - row.reserve;
  if (over > 0.0) {
    const L x = L::set(log(over));
    const Density<L> d = density(row.mixture, x);
    const double h = first_lane(d.h);
    win = first_lane(level(row.mixture, x).cdf);
    if (h > 0.0) {
      pdf = h / over;
      slope = (first_lane(d.slope) - h) / (over * over);
    }
    paid = row.reserve * win +
           first_lane(mean_below(row.mixture, x, L::set(over)));
  }
  const double tokens = row.tokens;
  const bool vcg = row.cost == CostModel::kVcg;
  out[0] = win;
  out[1] = pdf;
  out[2] = slope;
  out[3] = row.worth * win - row.loss - tokens * (vcg ? paid : w);
  out[4] = vcg ? (row.worth - tokens * w) * pdf : row.worth * pdf - tokens;
  out[5] =
      vcg ? (row.worth - tokens * w) * slope - tokens * pdf : row.worth * slope;
}

// False for a row that would be refused.
template <class L>
inline bool curve_of(const float* mixture, const double* control, int32_t count,
                     const double* w, double* out) {
  Row row;
  if (!read_row(mixture, control, &row)) return false;
  for (int64_t k = 0; k < count; ++k) {
    curve_at<L>(row, w[k], out + k * kCurve);
  }
  return true;
}

}  // namespace
}  // namespace mpc
}  // namespace skynet
